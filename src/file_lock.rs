//! A file that one process at a time holds. The lock is given back when this is dropped, also where
//! a child that is being started has inherited the open file and not closed it yet.

use std::fs::{File, TryLockError};

/// Holds the file's lock for as long as it lives.
pub(crate) struct FileLock(File);

impl FileLock {
    /// Takes the lock without waiting.
    ///
    /// # Errors
    ///
    /// `TryLockError::WouldBlock` while another process, or another `FileLock` of this one, holds it.
    pub(crate) fn take(file: File) -> Result<Self, TryLockError> {
        file.try_lock()?;
        Ok(Self(file))
    }

    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.0
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // closing the file gives the lock back as well, only later
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::FileLock;

    #[test]
    fn a_copy_that_a_child_inherited_does_not_keep_the_lock() {
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let path = folder.path().join("lock");
        let open = || File::create(&path).expect("the file opens");

        let file = open();
        let inherited = file.try_clone().expect("the file is open");
        let lock = FileLock::take(file).expect("nobody has it");
        assert!(FileLock::take(open()).is_err());
        drop(lock);
        assert!(FileLock::take(open()).is_ok());
        drop(inherited);
    }
}
