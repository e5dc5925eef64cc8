//! How a client finds the leader: gossip, and what the server says it can do.

use tonic::{Request, Response, Status, async_trait};

use crate::Node;
use crate::protocol::event_store::client::Empty;
use crate::protocol::event_store::client::gossip::gossip_server::Gossip;
use crate::protocol::event_store::client::gossip::member_info::VNodeState;
use crate::protocol::event_store::client::gossip::{ClusterInfo, EndPoint, MemberInfo};
use crate::protocol::event_store::client::server_features::server_features_server::ServerFeatures;
use crate::protocol::event_store::client::server_features::{SupportedMethod, SupportedMethods};

const VERSION: &str = "24.10.5";

#[async_trait]
impl Gossip for Node {
    async fn read(&self, _: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        let mut state = self.cluster.state();
        let leader = state.leader();
        let members = self.cluster.ports.iter().zip(&state.nodes).enumerate();
        let members = members.map(|(node, (port, known))| MemberInfo {
            instance_id: None,
            time_stamp: 0,
            state: match leader {
                Some(leader) if leader == node => VNodeState::Leader,
                Some(_) => VNodeState::Follower,
                None => VNodeState::Unknown,
            }
            .into(),
            is_alive: known.is_alive,
            http_end_point: Some(EndPoint {
                address: "127.0.0.1".to_owned(),
                port: port.number().into(),
            }),
        });
        Ok(Response::new(ClusterInfo { members: members.collect() }))
    }
}

#[async_trait]
impl ServerFeatures for Node {
    async fn get_supported_methods(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<SupportedMethods>, Status> {
        let batch_append = SupportedMethod {
            method_name: "batchappend".to_owned(),
            service_name: "event_store.client.streams.streams".to_owned(),
            features: vec!["deadline_duration".to_owned()],
        };
        Ok(Response::new(SupportedMethods {
            methods: vec![batch_append],
            event_store_server_version: VERSION.to_owned(),
        }))
    }
}
