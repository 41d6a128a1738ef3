//! Each wrong setting with its message; what flags, file and environment come to.

use std::fs;

use super::*;

fn load(flags: &[&str], file: &str) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.toml");
    fs::write(&path, file).unwrap();
    let path = path.to_str().unwrap();
    let words = ["syncslate-controller", "--config", path].into_iter().chain(flags.iter().copied());
    let args = Args::try_parse_from(words).map_err(|e| e.to_string())?;
    let home = |name: &str| (name == "HOME").then(|| "/home/op".to_owned());
    Settings::load(args, home)
        .map(|settings| Settings { file: None, ..settings })
        .map_err(|failure| failure.to_string().replace(path, "s.toml"))
}

#[test]
fn the_defaults_are_those_of_the_manual() {
    let settings = load(&[], "").unwrap();
    assert_eq!(settings.broker, BrokerChoice::Embedded(Ports::plain("127.0.0.1:1883".parse().unwrap())));
    assert_eq!(settings.http, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(settings.downloads, PathBuf::from("video_downloads"));
    assert_eq!(settings.state, PathBuf::from("/home/op/.local/state/syncslate"));
    assert_eq!(
        (settings.rsync.source.to_string().as_str(), settings.segment_s, settings.parallel),
        ("pi@{ip}:videos/", 60, 4)
    );
    assert!(settings.open_doors().is_empty());
}

#[test]
fn flags_win_over_the_file() {
    let file = "[mqtt]\nlisten = '0.0.0.0:1884'\nprefix = 'stage'\n[takes]\nsegment_s = 10\n[download]\ndir = '/a'\nparallel = 2\n";
    let settings = load(&["--segment-s", "5", "--downloads", "/b", "--source", "/x/{ip}"], file).unwrap();
    assert_eq!((settings.segment_s, settings.parallel, settings.prefix.as_str()), (5, 2, "stage"));
    assert_eq!((settings.downloads, settings.rsync.source.to_string()), ("/b".into(), "/x/{ip}/".into()));
    let external = load(&[], "[mqtt]\nexternal = 'mqtt://hub:1885'").unwrap();
    assert!(matches!(external.broker, BrokerChoice::External(address, _) if address.to_string() == "hub:1885"));
}

#[test]
fn open_doors_are_said() {
    let doors = load(&["--mqtt", "0.0.0.0:1883", "--http", "[::1]:80"], "").unwrap().open_doors();
    assert_eq!(
        doors,
        ["MQTT is open on 0.0.0.0:1883 without accounts: everybody on this network can start, stop and see takes"]
    );
}

#[test]
fn with_accounts_the_doors_are_open_to_those_who_have_one() {
    let hash = syncslate_broker::accounts::hash(b"secret").unwrap();
    let file = format!("[accounts.anna]\nrole = 'operator'\nhash = '{hash}'\n");
    let settings = load(&[], &file).unwrap();
    assert_eq!(settings.broker, BrokerChoice::Embedded(Ports::plain("0.0.0.0:1883".parse().unwrap())));
    assert_eq!(settings.http, "0.0.0.0:8080".parse().unwrap());
    assert!(settings.open_doors().is_empty());
    let settings = load(&["--mqtt", "127.0.0.1:1", "--http", "127.0.0.1:2"], &file).unwrap();
    assert_eq!(settings.broker, BrokerChoice::Embedded(Ports::plain("127.0.0.1:1".parse().unwrap())));
    assert_eq!(settings.http, "127.0.0.1:2".parse().unwrap());
}

#[test]
fn each_wrong_setting_is_refused_with_its_message() {
    let hint = "\n\nhint: `--help` and the example settings in the guide name every key";
    let table: [(&[&str], &str, &str); 19] = [
        (
            &[],
            "[mqtt]\nport = 1",
            &format!(
                "the settings file s.toml is wrong: TOML parse error at line 2, column 1\n  |\n2 | port = 1\n  | ^^^^\nunknown field `port`, expected one of `listen`, `tls`, `websocket`, `origins`, `external`, `user`, `password_file`, `ca`, `prefix`{hint}"
            ),
        ),
        (
            &[],
            "[broker]",
            &format!(
                "the settings file s.toml is wrong: TOML parse error at line 1, column 2\n  |\n1 | [broker]\n  |  ^^^^^^\nunknown field `broker`, expected one of `mqtt`, `http`, `accounts`, `takes`, `download`, `report`, `export`, `state`, `home_assistant`{hint}"
            ),
        ),
        (
            &[],
            "[download]\nsource = 'pi@cam:'",
            &format!(
                "the settings file s.toml is wrong: TOML parse error at line 2, column 10\n  |\n2 | source = 'pi@cam:'\n  |          ^^^^^^^^^\n`pi@cam:` holds no {{ip}}, so all nodes would be the same one: pi@{{ip}}:videos/{hint}"
            ),
        ),
        (&[], "[takes]\nsegment_s = 0", "`takes.segment_s` is 0: a segment lasts 1 to 3600 s"),
        (&[], "[download]\nlimit = '1k'", "`download.limit` is 1000: at least 10k bytes a second"),
        (
            &[],
            "[download]\nwhile_rolling_limit = '9k'",
            "`download.while_rolling_limit` is 9000: at least 10k bytes a second",
        ),
        (
            &[],
            "[download]\nremote_rsync = 'nice'",
            "`download.remote_rsync` is `nice`: it is a command that ends in rsync, such as nice -n 19 rsync",
        ),
        (&[], "[report]\namber_drift_ppm = -1", "`report.amber_drift_ppm` is -1: it is 0 to 10000"),
        (&[], "[download]\nsilence_s = 1", "`download.silence_s` is 1: it is 3 to 3600 s"),
        (&[], "[download]\nssh = ['-i', '']", "`download.ssh` holds ``, which is no argument"),
        (
            &[],
            "[download]\nreserve = '1,5G'",
            &format!(
                "the settings file s.toml is wrong: TOML parse error at line 2, column 11\n  |\n2 | reserve = '1,5G'\n  |           ^^^^^^\n`1,5G` is no number of bytes such as 512k, 20M or 1G{hint}"
            ),
        ),
        (&[], "[download]\nparallel = 0", "`download.parallel` is 0: 1 to 64 nodes can send at once"),
        (
            &[],
            "[home_assistant]\nprefix = 'home/#'",
            "`home_assistant.prefix` is `home/#`: it is the discovery prefix of Home Assistant, such as homeassistant",
        ),
        (
            &[],
            "[mqtt]\nprefix = 'a/+'",
            "`mqtt.prefix` is `a/+`: it is a topic without `+`, `#`, a `$` in front or empty levels, such as stage/left",
        ),
        (
            &["--mqtt", "127.0.0.1:1"],
            "[mqtt]\nexternal = 'hub'",
            "`mqtt.external` names another broker, so there is none to listen by --mqtt, `mqtt.listen`, `mqtt.tls` or `mqtt.websocket`\n\nhint: leave one of them out",
        ),
        (
            &[],
            "[mqtt]\nuser = 'me'",
            "`mqtt.user`, `mqtt.password_file` and `mqtt.ca` are for another broker: `mqtt.external` is not set\n\nhint: who may come in to the broker here stands in `[accounts]`, its certificate in `[mqtt.tls]`",
        ),
        (
            &["--segment-s", "0"],
            "",
            "error: invalid value '0' for '--segment-s <N>': 0 is not in 1..=3600\n\nFor more information, try '--help'.\n",
        ),
        (
            &["--mqtt", "1883"],
            "",
            "error: invalid value '1883' for '--mqtt <ADDR>': invalid socket address syntax\n\nFor more information, try '--help'.\n",
        ),
        (
            &["--source", "x"],
            "",
            "error: invalid value 'x' for '--source <TEMPLATE>': `x` holds no {ip}, so all nodes would be the same one: pi@{ip}:videos/\n\nFor more information, try '--help'.\n",
        ),
    ];
    for (flags, file, message) in table {
        assert_eq!(load(flags, file).unwrap_err(), message, "{flags:?} {file}");
    }
}

#[test]
fn the_state_lies_where_systemd_says_else_where_the_user_keeps_it() {
    let folder =
        |set: &[(&str, &str)]| state_folder(|name| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()));
    let [unit, xdg, home] = [("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("XDG_STATE_HOME", "/s"), ("HOME", "/h")];
    assert_eq!(folder(&[unit, xdg, home]).unwrap(), PathBuf::from("/var/lib/a"));
    assert_eq!(folder(&[("STATE_DIRECTORY", ""), xdg, home]).unwrap(), PathBuf::from("/s/syncslate"));
    assert_eq!(folder(&[home]).unwrap(), PathBuf::from("/h/.local/state/syncslate"));
    assert!(folder(&[]).unwrap_err().to_string().contains("--state DIR"));
}

const EXAMPLE: &str = include_str!("../../guide/settings/controller.toml");

#[test]
fn the_shipped_example_is_the_defaults() {
    assert_eq!(load(&[], EXAMPLE), load(&[], ""));
}

#[test]
fn the_package_brings_footage_where_its_unit_may_write() {
    let file = include_str!("../../packaging/controller/controller.toml");
    let unit = include_str!("../../systemd/syncslate-controller.service");
    let settings = load(&[], file).unwrap();
    assert!(
        settings.downloads.ends_with("var/lib/syncslate/video_downloads") && unit.contains("syncslate/video_downloads")
    );
    assert_eq!(settings.rsync.source.to_string(), "syncslate-node@{ip}:/");
    assert!(settings.state.ends_with("syncslate/controller") && unit.contains("StateDirectory=syncslate/controller "));
    assert!(settings.open_doors().is_empty());
}

#[test]
fn the_shipped_example_shows_every_key() {
    for section in keys("").into_iter().chain(["mqtt.tls".into(), "accounts.cam1".into()]) {
        if section == "accounts" {
            continue;
        }
        let headed = EXAMPLE.split_once(&format!("\n[{section}]\n"));
        let (_, text) = headed.or_else(|| EXAMPLE.split_once(&format!("\n# [{section}]\n"))).unwrap();
        let text = text.split("\n[").next().unwrap();
        for key in keys(&format!("[{section}]\n")) {
            let shown = text.lines().any(|line| line.trim_start_matches("# ").starts_with(&format!("{key} = ")));
            assert!(shown || EXAMPLE.contains(&format!("# [{section}.{key}]")), "[{section}] lacks `{key}`");
        }
    }
}

/// The keys below a header, as the refusal of one that is not there names them.
fn keys(header: &str) -> Vec<String> {
    let refusal = load(&[], &format!("{header}no_such_key = 1")).unwrap_err();
    let known = refusal.split("expected").nth(1).unwrap().split('\n').next().unwrap();
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_network_is_shared_by_those_who_send() {
    let file =
        "[download]\nlimit = '20M'\nparallel = 5\nssh = ['-p', '2222']\nsilence_s = 5\nretry_s = 60\nreserve = '1G'\n";
    let settings = load(&[], file).unwrap();
    let rsync = settings.rsync;
    let gentle = rsync.clone().gently();
    assert_eq!((gentle.gentle, gentle.limit), (true, Some(Size(1_600_000))), "while nodes record");
    let slow = Rsync { limit: Some(Size(500_000)), ..rsync.clone() };
    assert_eq!(slow.gently().limit, Some(Size(500_000)), "never more than otherwise");
    assert_eq!(
        (rsync.limit, rsync.ssh, rsync.silence.as_secs()),
        (Some(Size(4_000_000)), vec!["-p".into(), "2222".into()], 5)
    );
    assert_eq!((settings.patience.as_secs(), settings.reserve), (60, Size(1_000_000_000)));
}
