//! Files that take their places in a folder when all of them are whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::problem::Problem;

/// Where the files of a folder are written first. Dropped, it leaves everything as it was.
pub(crate) struct Staged {
    fresh: TempDir,
    folder: PathBuf,
}

impl Staged {
    /// In the folder itself or, where it is yet to be made, in the nearest that is there: files are moved within one file system.
    pub(crate) fn new(folder: &Path) -> Result<Self, Problem> {
        let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
        let fresh = tempfile::Builder::new().prefix(".formwork-").tempdir_in(there);
        let fresh = fresh.map_err(|e| Problem::io(folder, &e))?;
        Ok(Self { fresh, folder: folder.to_path_buf() })
    }

    /// The folder to write in.
    pub(crate) fn path(&self) -> &Path {
        self.fresh.path()
    }

    /// Refuses to replace anything but files and links, which are not followed.
    pub(crate) fn check(&self, files: &[PathBuf]) -> Result<(), Problem> {
        for place in files.iter().map(|file| self.folder.join(file)) {
            match place.symlink_metadata() {
                Ok(there) if !there.is_file() && !there.is_symlink() => {
                    return Err(Problem::io(&place, &io::Error::other("only a file can be replaced")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Moves the files, in this order.
    pub(crate) fn publish(self, files: &[PathBuf]) -> Result<(), Problem> {
        for file in files {
            let place = self.folder.join(file);
            let folder = place.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder).map_err(|e| Problem::io(folder, &e))?;
        }
        for file in files {
            let place = self.folder.join(file);
            fs::rename(self.path().join(file), &place).map_err(|e| Problem::io(&place, &e))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::Staged;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_appear_together_or_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("new/folder");
        let files = ["1_Pooling/config.json", "weights"].map(PathBuf::from);
        let stage = || {
            let staged = Staged::new(&folder).unwrap();
            fs::create_dir_all(staged.path().join("1_Pooling")).unwrap();
            files.iter().for_each(|file| fs::write(staged.path().join(file), "fresh").unwrap());
            staged
        };
        drop(stage());
        assert!(names(home.path()).is_empty());
        stage().publish(&files).unwrap();
        assert_eq!(
            (names(home.path()), names(&folder)),
            (vec!["new".into()], vec!["1_Pooling".into(), "weights".into()])
        );

        fs::remove_file(folder.join("weights")).unwrap();
        fs::create_dir(folder.join("weights")).unwrap();
        let problem = stage().check(&files).unwrap_err();
        assert!(problem.exit == 4 && problem.diagnostics[0].message.contains("new/folder/weights"), "{problem:?}");
        assert_eq!(names(&folder), ["1_Pooling", "weights"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_replaced_and_not_written_through() {
        let home = tempfile::tempdir().unwrap();
        let (original, folder) = (home.path().join("original"), home.path().join("folder"));
        fs::write(&original, "precious").unwrap();
        fs::create_dir(&folder).unwrap();
        std::os::unix::fs::symlink(&original, folder.join("weights")).unwrap();
        let (staged, files) = (Staged::new(&folder).unwrap(), ["weights"].map(PathBuf::from));
        staged.check(&files).unwrap();
        fs::write(staged.path().join("weights"), "fresh").unwrap();
        staged.publish(&files).unwrap();
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!((read(&original), read(&folder.join("weights"))), ("precious".into(), "fresh".into()));
    }
}
