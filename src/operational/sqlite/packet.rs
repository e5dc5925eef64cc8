//! Compliance packets that were made.

use events::id::PacketId;
use rusqlite::OptionalExtension as _;
use uuid::Uuid;

use super::State;
use crate::operational::{Error, KeptFile};

impl State {
    pub(in crate::operational) async fn keep_packet(
        &self,
        packet: PacketId,
        key_id: String,
        files: Vec<KeptFile>,
    ) -> Result<(), Error> {
        let keep = move |connection: &mut rusqlite::Connection| {
            let transaction = connection.transaction()?;
            let id = packet.0.as_bytes();
            let is_first = transaction.execute(
                "INSERT INTO packet (packet, key_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                (id, key_id),
            )?;
            if is_first == 1 {
                let mut put = transaction
                    .prepare("INSERT INTO packet_file (packet, name, body) VALUES (?1, ?2, ?3)")?;
                for file in &files {
                    put.execute((id, &file.name, &file.body))?;
                }
            }
            transaction.commit()
        };
        self.file.write(keep).await.map_err(Error::unavailable)
    }

    pub(in crate::operational) fn packet_key(
        &self,
        packet: PacketId,
    ) -> Result<Option<String>, Error> {
        let found = self.file.read(|connection| {
            connection
                .prepare_cached("SELECT key_id FROM packet WHERE packet = ?1")?
                .query_row([packet.0.as_bytes()], |row| row.get(0))
                .optional()
        });
        found.map_err(Error::unavailable)
    }

    pub(in crate::operational) fn packets(&self) -> Result<Vec<PacketId>, Error> {
        let found = self.file.read(|connection| {
            connection
                .prepare_cached("SELECT packet FROM packet ORDER BY packet")?
                .query_map([], |row| row.get(0).map(Uuid::from_bytes).map(PacketId))?
                .collect()
        });
        found.map_err(Error::unavailable)
    }

    pub(in crate::operational) fn packet_file(
        &self,
        packet: PacketId,
        name: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let found = self.file.read(|connection| {
            connection
                .prepare_cached("SELECT body FROM packet_file WHERE packet = ?1 AND name = ?2")?
                .query_row((packet.0.as_bytes(), name), |row| row.get(0))
                .optional()
        });
        found.map_err(Error::unavailable)
    }
}
