//! With accounts: who gets in, who may command, what a stranger sees.

use syncslate_broker::Gate;
use syncslate_broker::accounts::{Account, Accounts, hash};
use syncslate_broker::rights::Role;
use syncslate_controller::lock::Lock;

use crate::client::{Answer, Site};
use crate::stage;

async fn locked() -> Site {
    let mut accounts = Accounts::default();
    let roles =
        [("anna", Role::Operator), ("otto", Role::Viewer), ("cam1", Role::Node { ip: [192, 168, 1, 101].into() })];
    for (name, role) in roles {
        accounts.add(name, Account { hash: hash(b"swordfish").unwrap(), role }).unwrap();
    }
    Site::with_lock(stage::armed(2), Lock::new(Gate::new(accounts), [7; 32])).await
}

async fn log_in(site: &Site, name: &str, password: &str, next: &str) -> Answer {
    let body = format!("name={name}&password={password}&next={next}");
    site.ask("POST", "/login", &["Content-Type: application/x-www-form-urlencoded"], &body).await
}

/// The header that a browser sends after a login.
async fn session(site: &Site, name: &str) -> String {
    let answer = log_in(site, name, "swordfish", "%2Ftakes").await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/takes")));
    let cookie = answer.header("set-cookie").unwrap();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=1209600"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    format!("Cookie: theme=dark; {}", cookie.split(';').next().unwrap())
}

#[tokio::test]
async fn a_stranger_sees_the_login_and_nothing_else() {
    let site = locked().await;
    for path in ["/", "/takes", "/takes/A01", "/live", "/nowhere", "/media/A01.tar"] {
        let page = site.ask("GET", path, &["Accept: text/html"], "").await;
        assert_eq!(page.status, 401, "{path}");
        assert!(page.body.contains("type=\"password\"") && page.body.contains(&format!("value=\"{path}\"")), "{path}");
        assert!(!page.body.contains("192.168.1.101") && !page.body.contains("START"), "{path}");
    }
    for path in ["/api/state", "/api/takes", "/api/events", "/metrics", "/api/start"] {
        let answer = site.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{path}");
    }
    let answer = site.post("/api/start", "{}").await;
    assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"));
    assert_eq!(site.get("/healthz").await.status, 200);
    assert_eq!(site.get("/login").await.status, 200);
}

#[tokio::test]
async fn an_operator_commands_and_a_viewer_looks_on() {
    let mut site = locked().await;
    let (anna, otto) = (session(&site, "anna").await, session(&site, "otto").await);
    let json = "Content-Type: application/json";
    let page = site.ask("GET", "/", &[&otto], "").await;
    assert!(page.status == 200 && page.body.contains("class=\"viewer\"") && page.body.contains("<bdi>otto</bdi>"));
    let answer = site.ask("POST", "/api/stop", &[&otto, json], "{}").await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
    let page = site.ask("GET", "/", &[&anna], "").await;
    assert!(page.status == 200 && !page.body.contains("class=\"viewer\""));
    let heard = async { site.stage.requests.recv().await.unwrap().command.word };
    let (answer, word) = tokio::join!(ask_at(site.at, &anna), heard);
    assert_eq!(word, "stop");
    assert!(answer.contains("HTTP/1.1 500"), "nobody answered, but it was let in: {answer}");
}

/// A command whose asker is gone before the answer: the stage drops it.
async fn ask_at(at: std::net::SocketAddr, cookie: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(at).await.unwrap();
    let text =
        format!("POST /api/stop HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n{cookie}\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn programs_send_name_and_password() {
    let site = locked().await;
    // anna:swordfish, otto:sword
    let right = site.ask("GET", "/api/state", &["Authorization: Basic YW5uYTpzd29yZGZpc2g="], "").await;
    assert_eq!(right.status, 200);
    let wrong = site.ask("GET", "/api/state", &["Authorization: Basic b3R0bzpzd29yZA=="], "").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (401, "unauthorized"));
    for header in ["Authorization: Basic %%%", "Authorization: Bearer x", "Cookie: syncslate=x.1.y", "Cookie: =;;="] {
        assert_eq!(site.ask("GET", "/api/state", &[header], "").await.status, 401, "{header}");
    }
}

#[tokio::test]
async fn a_wrong_login_says_so_and_a_camera_has_no_page() {
    let site = locked().await;
    for (name, password) in [("anna", "Swordfish"), ("nobody", "swordfish"), ("cam1", "swordfish"), ("", "")] {
        let answer = log_in(&site, name, password, "%2F").await;
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None), "{name}");
        assert!(answer.body.contains("do not belong to an account"), "{name}");
    }
    let answer = log_in(&site, "anna", "swordfish", "%2F%2Fevil.example").await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "no way to another site");
    assert_eq!(site.ask("POST", "/login", &[], "name=anna").await.status, 400);
    assert_eq!(site.ask("POST", "/login", &[], &"x".repeat(10_000)).await.status, 413);
}

#[tokio::test]
async fn no_page_of_another_site_logs_anybody_in_or_out() {
    let site = locked().await;
    let evil = "Origin: http://evil.example";
    let body = "name=anna&password=swordfish";
    assert_eq!(site.ask("POST", "/login", &[evil], body).await.status, 403);
    let anna = session(&site, "anna").await;
    assert_eq!(site.ask("POST", "/logout", &[evil, &anna], "").await.status, 403);
    assert_eq!(site.ask("POST", "/api/stop", &[evil, &anna], "").await.status, 403);
    let out = site.ask("POST", "/logout", &[&anna], "").await;
    assert!(out.status == 303 && out.header("set-cookie").unwrap().contains("Max-Age=0"));
}
