package main

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// grpcEcho answers every call of every service with each message that it gets.
func grpcEcho() *grpc.Server {
	return grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		for {
			var in wrapperspb.BytesValue
			if s.RecvMsg(&in) != nil { // the client has said all
				return nil
			}
			if err := s.SendMsg(&in); err != nil {
				return err
			}
		}
	}))
}
