package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	grpcstatus "google.golang.org/grpc/status"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key, a.file, _ = a.issue(name, true)
	return a
}

// issue makes a certificate, of the authority itself if that has none yet, and writes it and its key to files.
func (a *authority) issue(name string, ca bool, usage ...x509.ExtKeyUsage) (cert *x509.Certificate, key *ecdsa.PrivateKey, certFile, keyFile string) {
	a.t.Helper()
	key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: usage,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der := must(x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer))
	cert = must(x509.ParseCertificate(der))
	certFile = file(a.t, name+".crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	keyFile = file(a.t, name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))})))
	return cert, key, certFile, keyFile
}

// client is the TLS of a client that trusts the authority, and shows a certificate if there is one.
func (a *authority) client(certFile, keyFile string) credentials.TransportCredentials {
	a.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	conf := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	if certFile != "" {
		conf.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(certFile, keyFile))}
	}
	return credentials.NewTLS(conf)
}

func wantCode(t *testing.T, who, address string, creds credentials.TransportCredentials, want codes.Code) {
	t.Helper()
	if _, err := status(t, dial(t, address, creds)); grpcstatus.Code(err) != want {
		t.Errorf("%s: %v, want %v", who, err, want)
	}
}

func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	_, _, cert, key := ours.issue("vasicd", false, x509.ExtKeyUsageServerAuth)
	args := []string{"--tls-cert", cert, "--tls-key", key, "--metrics-listen="}
	d := start(t, append(args, "--listen=127.0.0.1:0")...)
	address := d.serving()
	wantCode(t, "who trusts our authority", address, ours.client("", ""), codes.OK)
	wantCode(t, "who trusts another one", address, theirs.client("", ""), codes.Unavailable)
	wantCode(t, "who speaks plain text", address, nil, codes.Unavailable)
	if code, errs := healthy(t, append(args, "--listen", address)...); code != 0 {
		t.Errorf("healthcheck: %d %s", code, errs)
	}
	if code, _ := healthy(t, "--listen", address); code != 1 {
		t.Errorf("healthcheck in plain text: %d", code)
	}
	wantWords(t, d.log.String(), "tls=true")
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, d.log.String())
	}
}

func TestClientCertificatesAreRequiredWhereAskedFor(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	_, _, cert, key := ours.issue("vasicd", false, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
	_, _, clientCert, clientKey := ours.issue("client", false, x509.ExtKeyUsageClientAuth)
	_, _, strangerCert, strangerKey := theirs.issue("stranger", false, x509.ExtKeyUsageClientAuth)
	_, _, serverCert, serverKey := ours.issue("server", false, x509.ExtKeyUsageServerAuth)
	args := []string{"--tls-cert", cert, "--tls-key", key, "--tls-client-ca", ours.file, "--metrics-listen="}
	d := start(t, append(args, "--listen=127.0.0.1:0")...)
	address := d.serving()
	wantCode(t, "a client with a certificate", address, ours.client(clientCert, clientKey), codes.OK)
	wantCode(t, "a client without one", address, ours.client("", ""), codes.Unavailable)
	wantCode(t, "a client of another authority", address, ours.client(strangerCert, strangerKey), codes.Unavailable)
	wantCode(t, "a certificate for servers", address, ours.client(serverCert, serverKey), codes.Unavailable)
	wantCode(t, "plain text", address, nil, codes.Unavailable)
	if code, errs := healthy(t, append(args, "--listen", address)...); code != 0 { // shows the server's own certificate
		t.Errorf("healthcheck: %d %s", code, errs)
	}
	if code := d.stop(); code != 0 {
		t.Errorf("exit code %d: %s", code, d.log.String())
	}
}

func TestTLSFilesThatCannotBeUsedAreNamed(t *testing.T) {
	ours := newAuthority(t, "ours")
	_, _, cert, key := ours.issue("vasicd", false)
	_, _, _, otherKey := ours.issue("other", false)
	junk := file(t, "junk", "no certificate")
	for _, c := range []struct {
		cert, key, ca string
		words         []string
	}{
		{"/nowhere.crt", key, "", []string{"tls-cert", "/nowhere.crt"}},
		{cert, "/nowhere.key", "", []string{"tls-", "/nowhere.key"}},
		{junk, key, "", []string{"tls-cert"}},
		{cert, junk, "", []string{"tls-"}},
		{cert, otherKey, "", []string{"tls-", "does not match"}},
		{cert, key, "/nowhere.ca", []string{"tls-client-ca", "/nowhere.ca"}},
		{cert, key, junk, []string{"tls-client-ca", "holds no certificate"}},
	} {
		g, _ := sockets(t)
		d := start(t, "--listen", "unix://"+g, "--metrics-listen=", "--tls-cert", c.cert, "--tls-key", c.key, "--tls-client-ca", c.ca)
		if code := d.exit(); code != 1 {
			t.Errorf("%v: exit code %d", c, code)
		}
		wantWords(t, lastWords(d.log.String()), c.words...)
	}
	if code, errs := healthy(t, "--tls-cert", junk, "--tls-key", key); code != 1 {
		t.Errorf("healthcheck with a bad certificate: %d %s", code, errs)
	}
}
