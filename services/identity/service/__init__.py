"""gRPC servicers of identity: proto in, domain call, proto out."""
