package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	vasicv1 "github.com/vasic-project/vasic/api/vasic/v1"
)

func TestOptionsMayBeAbbreviated(t *testing.T) {
	for line, want := range map[string]options{
		"-4 route":                                  {family: family4},
		"-f inet6 -d -j -p route":                   {family: family6, details: true, json: true, pretty: true},
		"--family=inet --details --json r":          {family: family4, details: true, json: true},
		"-s -stats -o -ts r":                        {statistics: 2, oneLine: true, timestamp: true, timeShort: true},
		"-t -br -fo -b x":                           {timestamp: true, brief: true, force: true, batch: "x"},
		"-c -r -iec -V":                             {version: true},
		"--server a:1 --insecure route":             {server: "a:1", insecure: true},
		"--server=a:1 --insecure=0 -- -4":           {server: "a:1"},
		"--tls-ca=a --tls-cert b --tls-key c route": {tlsCA: "a", tlsCert: "b", tlsKey: "c"},
	} {
		if want.server == "" {
			want.server = DefaultServer
		}
		var got options
		if _, err := got.parse(strings.Fields(line), func(string) string { return "" }); err != nil || got != want {
			t.Errorf("%s:\n got %+v %v\nwant %+v", line, got, err, want)
		}
	}
	for line, want := range map[string]string{
		"-f foo":    `Error: argument "foo" is wrong: invalid protocol family`,
		"-n x":      `Error: "-n" is not supported by this switch.`,
		"--server":  `Command line is not complete. Try option "help"`,
		"--unknown": `Option "--unknown" is unknown, try "vasicctl -help".`,
	} {
		var got options
		if _, err := got.parse(strings.Fields(line), func(string) string { return "" }); err == nil || firstLine(err.Error()) != want {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
}

// certificate writes a certificate for 127.0.0.1 and its key into files.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestTLSAsTheOptionsSay(t *testing.T) {
	certFile, keyFile := certificate(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if pemText, err := os.ReadFile(certFile); err != nil || !pool.AppendCertsFromPEM(pemText) {
		t.Fatal("no certificate", err)
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert})))
	vasicv1.RegisterSwitchServiceServer(s, newFake(t))
	go func() { _ = s.Serve(lis) }()
	t.Cleanup(s.Stop)

	server := "--server " + lis.Addr().String()
	files := " --tls-ca " + certFile + " --tls-cert " + certFile + " --tls-key " + keyFile
	for options, want := range map[string]int{
		files:                    exitDone,
		" --tls-ca " + certFile:  exitRefused, // the server wants a certificate of ours
		" --insecure":            exitRefused,
		" --tls-ca " + keyFile:   exitUsage,
		" --tls-ca /nonexistent": exitUsage,
		" --tls-cert " + certFile + " --tls-key /none": exitUsage,
	} {
		var out, errs bytes.Buffer
		env := Env{Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }}
		if code := env.Run(t.Context(), strings.Fields(server+options+" status")); code != want {
			t.Errorf("%s: got %d %q, want %d", options, code, errs.String(), want)
		}
	}
}
