//! Objects as files: `pieces/ab/ab12….car` and `.tree`; drafts are temporary files in `scratch/`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Draft, Name, Part, Volume};

/// One write to the file system: large enough that system calls cost nothing.
const WRITE_BYTES: usize = 256 << 10;

/// Objects in one folder of a local file system.
pub struct DiskVolume {
    pieces: PathBuf,
    scratch: PathBuf,
}

impl DiskVolume {
    /// Opens the volume in `folder`, and removes drafts that a crash left behind.
    ///
    /// # Errors
    /// If folders cannot be made or cleaned.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let (pieces, scratch) = (folder.join("pieces"), folder.join("scratch"));
        fs::create_dir_all(&pieces)?;
        if scratch.exists() {
            fs::remove_dir_all(&scratch)?;
        }
        fs::create_dir_all(&scratch)?;
        // All folders exist and are durable before the first object, so that publishing syncs one folder only.
        for first in 0..=u8::MAX {
            fs::create_dir_all(pieces.join(format!("{first:02x}")))?;
        }
        sync_folder(&pieces)?;
        sync_folder(folder)?;
        Ok(Self { pieces, scratch })
    }

    fn path(&self, name: &Name) -> PathBuf {
        let root = name.root.to_string();
        let extension = match name.part {
            Part::Data => "car",
            Part::Outboard => "tree",
        };
        self.pieces.join(&root[..2]).join(format!("{root}.{extension}"))
    }
}

impl Volume for DiskVolume {
    fn draft(&self) -> io::Result<Box<dyn Draft>> {
        let file = NamedTempFile::new_in(&self.scratch)?;
        Ok(Box::new(FileDraft {
            file: BufWriter::with_capacity(WRITE_BYTES, file),
            pieces: self.pieces.clone(),
        }))
    }

    fn read_at(&self, name: &Name, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        File::open(self.path(name))?.read_exact_at(buffer, offset)
    }

    fn length(&self, name: &Name) -> io::Result<Option<u64>> {
        match fs::metadata(self.path(name)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, name: &Name) -> io::Result<()> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Ok(()) => sync_folder(path.parent().expect("objects lie in a folder")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn list(&self) -> io::Result<Vec<(Name, u64)>> {
        let mut names = Vec::new();
        for folder in fs::read_dir(&self.pieces)? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue; // not ours
            }
            for entry in fs::read_dir(folder.path())? {
                let entry = entry?;
                if let Some(name) = parse(&entry.path()) {
                    names.push((name, entry.metadata()?.len()));
                }
            }
        }
        Ok(names)
    }

    fn scratch(&self) -> &Path {
        &self.scratch
    }
}

fn parse(path: &Path) -> Option<Name> {
    let part = match path.extension()?.to_str()? {
        "car" => Part::Data,
        "tree" => Part::Outboard,
        _ => return None,
    };
    let root = path.file_stem()?.to_str()?.parse().ok()?;
    Some(Name { root, part })
}

struct FileDraft {
    file: BufWriter<NamedTempFile>,
    pieces: PathBuf,
}

impl Write for FileDraft {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.file.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Draft for FileDraft {
    fn publish(self: Box<Self>, name: &Name) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_data()?;
        let path = DiskVolume { pieces: self.pieces.clone(), scratch: PathBuf::new() }.path(name);
        let folder = path.parent().expect("objects lie in a folder");
        file.persist(&path).map_err(|error| error.error)?;
        sync_folder(folder)
    }
}

/// Makes renames and removals in a folder durable.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
