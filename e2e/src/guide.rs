//! What `guide/install.md` tells people to write, so that tests run on those very words.

use std::path::Path;

/// The block of code number `n`, from 0, of a step of the first boot, from 1.
///
/// # Panics
/// When the guide has none there.
pub fn block(step: usize, n: usize) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guide/install.md");
    let text = std::fs::read_to_string(&file).unwrap();
    let found = blocks(&text, step).nth(n).map(str::to_owned);
    found.unwrap_or_else(|| panic!("{}: step {step} has no block of code {n}", file.display()))
}

fn blocks(guide: &str, step: usize) -> impl Iterator<Item = &str> {
    let (_, from_here) = guide.split_once(&format!("\n**{step}. ")).unwrap_or_default();
    let ends = ["\n## ".to_owned(), format!("\n**{}. ", step + 1)];
    let end = ends.iter().filter_map(|end| from_here.find(end)).min().unwrap_or(from_here.len());
    // Between fences stands every second part; its first line is what follows the fence: the language.
    from_here[..end].split("```").skip(1).step_by(2).filter_map(|part| Some(part.split_once('\n')?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_belong_to_their_step() {
        let guide = "# G\n\n**1. Do**:\n\n```\none\ntwo\n```\n\n**2. Write**\n\n```toml\na = 1\n```\nand\n```\nb\n```\n\n\
                     ## Else\n\n```\nc\n```\n";
        let all = |step| blocks(guide, step).collect::<Vec<_>>();
        assert_eq!(all(1), ["one\ntwo\n"]);
        assert_eq!(all(2), ["a = 1\n", "b\n"]);
        assert_eq!(all(3), Vec::<&str>::new());
    }
}
