//! The log of the consensus engine, so that a killed validator neither forgets nor contradicts itself.

use std::path::Path;

use holdfast_consensus::record::{RECORD_BYTES_MAX, Record};
use holdfast_core::codec;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

/// Memory for pages: the log holds a few records.
const CACHE_BYTES: usize = 1 << 20;

/// Place in the log → record in DAG-CBOR.
const RECORDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("records");

/// Records on stable storage.
pub(crate) struct Log {
    database: Database,
    next: u64,
}

fn failed<E: Into<redb::Error>>(error: E) -> Box<redb::Error> {
    Box::new(error.into())
}

impl Log {
    /// Opens or begins a log, and reads what it holds.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Record>), Box<redb::Error>> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(failed)?;
        let write = database.begin_write().map_err(failed)?;
        write.open_table(RECORDS).map_err(failed)?;
        write.commit().map_err(failed)?;
        let (mut records, mut next) = (Vec::new(), 0);
        let read = database.begin_read().map_err(failed)?;
        for entry in read.open_table(RECORDS).map_err(failed)?.iter().map_err(failed)? {
            let (place, bytes) = entry.map_err(failed)?;
            let record = codec::decode(bytes.value(), RECORD_BYTES_MAX)
                .map_err(|_| failed(redb::Error::Corrupted("a record of the engine's log".into())))?;
            records.push(record);
            next = place.value() + 1;
        }
        drop(read);
        Ok((Self { database, next }, records))
    }

    /// Appends records with one sync. One that begins a round takes the place of all before it.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<(), Box<redb::Error>> {
        let write = self.database.begin_write().map_err(failed)?;
        {
            let mut table = write.open_table(RECORDS).map_err(failed)?;
            for record in records {
                if matches!(record, Record::Begin(_)) {
                    table.retain(|_, _| false).map_err(failed)?;
                }
                table.insert(self.next, &record.to_bytes()[..]).map_err(failed)?;
                self.next += 1;
            }
        }
        write.commit().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use holdfast_consensus::record::Begin;
    use holdfast_core::codec::Bounded;
    use holdfast_proofs::header::{Height, Round};
    use holdfast_proofs::vote::{Step, Vote};

    use super::*;

    fn begin(round: u32) -> Record {
        let why = Bounded::new(vec![]).unwrap();
        Record::Begin(Box::new(Begin {
            height: Height(3),
            round: Round(round),
            locked: None,
            valid: None,
            why,
        }))
    }

    fn vote(round: u32) -> Record {
        Record::Vote(Vote { height: Height(3), round: Round(round), step: Step::Prevote, block: None })
    }

    #[test]
    fn a_round_that_begins_takes_the_place_of_all_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.redb");
        let (mut log, records) = Log::open(&path).unwrap();
        assert_eq!(records, []);
        log.append(&[begin(0), vote(0)]).unwrap();
        drop(log);
        let (mut log, records) = Log::open(&path).unwrap();
        assert_eq!(records, [begin(0), vote(0)]);
        log.append(&[vote(0), begin(1)]).unwrap();
        log.append(&[vote(1)]).unwrap();
        drop(log);
        assert_eq!(Log::open(&path).unwrap().1, [begin(1), vote(1)]);
    }
}
