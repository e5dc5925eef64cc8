//! Compliance packets that were made.

use events::id::PacketId;
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
        let mut transaction = self.pool.begin().await.map_err(Error::unavailable)?;
        let kept = sqlx::query(
            "INSERT INTO state.packet (packet, key_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(packet.0)
        .bind(key_id)
        .execute(&mut *transaction)
        .await
        .map_err(Error::unavailable)?;
        if kept.rows_affected() == 1 {
            for file in files {
                sqlx::query(
                    "INSERT INTO state.packet_file (packet, name, body) VALUES ($1, $2, $3)",
                )
                .bind(packet.0)
                .bind(file.name)
                .bind(file.body)
                .execute(&mut *transaction)
                .await
                .map_err(Error::unavailable)?;
            }
        }
        transaction.commit().await.map_err(Error::unavailable)
    }

    pub(in crate::operational) async fn packet_key(
        &self,
        packet: PacketId,
    ) -> Result<Option<String>, Error> {
        sqlx::query_scalar("SELECT key_id FROM state.packet WHERE packet = $1")
            .bind(packet.0)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::unavailable)
    }

    pub(in crate::operational) async fn packets(&self) -> Result<Vec<PacketId>, Error> {
        let found: Vec<Uuid> =
            sqlx::query_scalar("SELECT packet FROM state.packet ORDER BY packet")
                .fetch_all(&self.pool)
                .await
                .map_err(Error::unavailable)?;
        Ok(found.into_iter().map(PacketId).collect())
    }

    pub(in crate::operational) async fn packet_file(
        &self,
        packet: PacketId,
        name: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        sqlx::query_scalar("SELECT body FROM state.packet_file WHERE packet = $1 AND name = $2")
            .bind(packet.0)
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::unavailable)
    }
}
