package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/vasic-project/vasic/api/codec"
)

const (
	// A client may ping this often, also without a call, to notice a dead switch within seconds.
	minClientPing = 5 * time.Second
	// An idle connection is asked whether it lives, so that a vanished client frees its watch.
	serverPing        = 30 * time.Second
	serverPingTimeout = 10 * time.Second
)

// options are those of the gRPC server: metrics see every call, the log every end of one, and a panic ends its call only.
func (s *Server) options() []grpc.ServerOption {
	logger := logging.LoggerFunc(func(ctx context.Context, level logging.Level, msg string, fields ...any) {
		s.cfg.Logger.Log(ctx, slog.Level(level), msg, fields...) //nolint:sloglint // the interceptor's words
	})
	logOptions := []logging.Option{
		logging.WithLogOnEvents(logging.FinishCall),
		logging.WithLevels(logLevel),
		logging.WithFieldsFromContext(func(context.Context) logging.Fields { return nil }),
	}
	recovered := recovery.WithRecoveryHandlerContext(s.panicked)
	return append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(codec.Codec{}),
		grpc.ChainUnaryInterceptor(s.metrics.grpc.UnaryServerInterceptor(), logging.UnaryServerInterceptor(logger, logOptions...), recovery.UnaryServerInterceptor(recovered), s.recorder.unary),
		grpc.ChainStreamInterceptor(s.endForeignStreams, s.metrics.grpc.StreamServerInterceptor(), logging.StreamServerInterceptor(logger, logOptions...), recovery.StreamServerInterceptor(recovered)),
		grpc.MaxConcurrentStreams(s.cfg.MaxStreams),
		grpc.MaxRecvMsgSize(s.cfg.MaxMessageBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: serverPing, Timeout: serverPingTimeout}),
	}, s.cfg.GRPCOptions...)
}

// panicked is what a call ends with that panicked.
func (s *Server) panicked(ctx context.Context, p any) error {
	s.metrics.panics.Inc()
	s.cfg.Logger.ErrorContext(ctx, "a call panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return status.Error(codes.Internal, "internal error: the call panicked; see the server's log")
}

// endForeignStreams ends streams of health and reflection when the switch stops; they would go on as long as their client likes. The
// switch's own end by themselves, and say more.
func (s *Server) endForeignStreams(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if strings.HasPrefix(info.FullMethod, "/vasic.") {
		return handler(srv, stream)
	}
	done := make(chan error, 1)
	go func() { done <- handler(srv, stream) }() // ends at the latest when we return, with its context
	select {
	case err := <-done:
		return err
	case <-s.stopped:
		return errShuttingDown
	}
}

// logLevel keeps the log quiet: what clients can cause is for debugging, what only the switch can cause is not.
func logLevel(code codes.Code) logging.Level {
	switch code {
	case codes.Internal, codes.Unknown, codes.DataLoss:
		return logging.LevelError
	case codes.Unavailable, codes.ResourceExhausted:
		return logging.LevelInfo
	}
	return logging.LevelDebug
}
