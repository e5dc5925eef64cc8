//! The SQLite log on a disk that is full: what it answered stays true, and it goes on once there is
//! room.

use std::path::Path;
use std::process::Command;

use chancery::event_log::{AppendError, EventLog};
use tempfile::TempDir;

use crate::line::{Writer, new_stream};
use crate::oracle::Journal;

/// A small disk of its own, gone when dropped. Mounting needs root.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount(mebibytes: u32) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(folder.path())
            .status()
            .expect("`mount` is there");
        assert!(mounted.success(), "a test of full disks mounts one: run tests/run as root");
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // the folder cannot be removed while something is mounted on it
        drop(Command::new("umount").arg("--lazy").arg(self.path()).status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_and_is_only_an_interruption() {
    let disk = SmallDisk::mount(3);
    let reserve = disk.path().join("reserve");
    std::fs::write(&reserve, vec![0; 1024 * 1024]).expect("the disk is empty");
    let log = EventLog::sqlite(&disk.path().join("log.db")).expect("the file opens");
    let journal = Journal::default();
    let mut writer = Writer::new(new_stream());

    let refused = loop {
        let events = writer.lines(50);
        let expected = events::wire::head(&events[0].line).expect("a line").version;
        let expected = chancery::event_log::Expected::after(expected);
        match log.append(&writer.stream, expected, events.clone()).await {
            Ok(_) => journal.append(&log, &mut writer.clone(), events).await,
            Err(AppendError::NotWritten(_)) => break events,
            Err(error) => panic!("a full disk is no reason for `{error}`"),
        }
    };
    let written = journal.check(&log, true).await.len();
    assert!(written > 0, "something fitted");

    std::fs::remove_file(reserve).expect("the reserve is there");
    journal.append(&log, &mut writer, refused).await;
    assert_eq!(journal.check(&log, true).await.len(), written + 50);
}
