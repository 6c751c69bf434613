package vasic

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/vasic-project/vasic/api/codec"
)

// conn is a connection as the stubs see it: with the codec of this project, and with errors that are *Error. It wraps the
// connection, and is not an interceptor, so that connections made by others behave the same.
type conn struct{ cc grpc.ClientConnInterface }

// Invoke makes a unary call.
func (c conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return asError(c.cc.Invoke(ctx, method, args, reply, withCodec(opts)...))
}

// NewStream opens a stream.
func (c conn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := c.cc.NewStream(ctx, desc, method, withCodec(opts)...)
	if err != nil {
		return nil, asError(err)
	}
	return stream{s}, nil
}

// withCodec puts the codec in front of opts, where an option of the caller can overrule it.
func withCodec(opts []grpc.CallOption) []grpc.CallOption {
	return append([]grpc.CallOption{grpc.ForceCodecV2(codec.Codec{})}, opts...)
}

// stream is a grpc.ClientStream whose errors are *Error, or io.EOF.
type stream struct{ grpc.ClientStream }

// Header waits for the header.
func (s stream) Header() (metadata.MD, error) {
	md, err := s.ClientStream.Header()
	return md, asError(err)
}

// CloseSend ends the sending side.
func (s stream) CloseSend() error { return asError(s.ClientStream.CloseSend()) }

// SendMsg sends a message.
func (s stream) SendMsg(m any) error { return asError(s.ClientStream.SendMsg(m)) }

// RecvMsg receives a message.
func (s stream) RecvMsg(m any) error { return asError(s.ClientStream.RecvMsg(m)) }
