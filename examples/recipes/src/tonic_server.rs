use sea_orm_audit::web::AuditLayer;
use tonic::transport::Server;
use tonic::transport::server::TcpConnectInfo;

pub fn server() -> Server<impl Clone> {
    let audit =
        AuditLayer::new().peer(|extensions| extensions.get::<TcpConnectInfo>()?.remote_addr());
    Server::builder().layer(audit) // .add_service(..).serve(address)
}
