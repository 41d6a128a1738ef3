//! Small disks of their own for nodes, that fill, or turn read-only as a dying card does. Mounting needs root.

use std::path::{Path, PathBuf};

use crate::process::{command, wait_for};

/// A file system that is mounted for as long as this lives.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    image: Option<PathBuf>,
}

impl Disk {
    /// `size` (`24m`) of memory as a disk at `path`.
    pub fn in_memory(path: &Path, size: &str) -> Self {
        std::fs::create_dir_all(path).unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", &path.display().to_string()]);
        Self { path: path.to_owned(), image: None }
    }

    /// An ext4 of `mib` MiB in the file `image`, at `path`. Like a card's it turns read-only at an error.
    pub fn in_file(path: &Path, image: &Path, mib: u64) -> Self {
        std::fs::create_dir_all(path).unwrap();
        std::fs::File::create(image).unwrap().set_len(mib << 20).unwrap();
        run("mkfs.ext4", &["-q", "-F", &image.display().to_string()]);
        let disk = Self { path: path.to_owned(), image: Some(image.to_owned()) };
        disk.mount();
        disk
    }

    fn mount(&self) {
        let image = self.image.as_ref().unwrap().display().to_string();
        run("mount", &["-o", "loop,errors=remount-ro", &image, &self.path.display().to_string()]);
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that a program may still write.
    pub fn free(&self) -> u64 {
        let disk = rustix::fs::statvfs(&self.path).unwrap();
        disk.f_bavail * disk.f_frsize
    }

    /// Leaves so many bytes free.
    pub fn fill_up_to(&self, free: u64) {
        let ballast = std::fs::File::create(self.path.join("ballast")).unwrap();
        let length = self.free().saturating_sub(free);
        rustix::fs::fallocate(&ballast, rustix::fs::FallocateFlags::empty(), 0, length).unwrap();
    }

    /// Takes the filling away.
    pub fn make_room(&self) {
        std::fs::remove_file(self.path.join("ballast")).unwrap();
    }

    /// The kernel finds an error and makes the disk read-only, with files open on it or not.
    pub fn break_down(&self) {
        let source = output("findmnt", &["-n", "-o", "SOURCE", &self.path.display().to_string()]);
        let device = Path::new(source.trim()).file_name().unwrap().to_owned();
        // The writing itself may already be refused by the error that it makes.
        let trigger = Path::new("/sys/fs/ext4").join(device).join("trigger_fs_error");
        let _ = std::fs::write(trigger, "1");
    }

    /// What a person does after a repair: unmounts, checks, mounts. Who had files open on it must have ended.
    pub fn mend(&self) {
        wait_for("the disk to be let go", || command("umount").arg(&self.path).output().unwrap().status.success());
        let image = self.image.as_ref().unwrap().display().to_string();
        // It says 1 when it has repaired something.
        let _ = command("e2fsck").args(["-p", "-f", &image]).output().unwrap();
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = command("umount").arg("--lazy").arg(&self.path).output();
    }
}

fn run(program: &str, args: &[&str]) {
    output(program, args);
}

fn output(program: &str, args: &[&str]) -> String {
    let done = command(program).args(args).output().unwrap_or_else(|e| panic!("{program}: {e}"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {args:?} (mounting needs root): {said}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}
