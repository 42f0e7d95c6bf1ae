package testenv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// An Authority signs certificates for tests. Its methods are not safe for concurrent use.
type Authority struct {
	// CA is the path of its own certificate, in PEM form.
	CA string

	tb   testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	last int64 // serial number
}

// NewAuthority makes an authority that nobody else believes. Its files are gone when the test ends.
func NewAuthority(tb testing.TB) *Authority {
	tb.Helper()
	a := &Authority{tb: tb, dir: tb.TempDir()}
	a.CA = filepath.Join(a.dir, "ca.crt")
	a.cert, a.key = a.sign(&x509.Certificate{
		Subject: pkix.Name{Organization: []string{"Event.io tests"}, CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, a.CA, filepath.Join(a.dir, "ca.key"))
	return a
}

// Issue signs a certificate for a server on 127.0.0.1 and a client, whose subject is O=organization, CN=name, and
// returns the paths of it and of its key. Both are in one file, too, whose name ends in .pem.
func (a *Authority) Issue(organization, name string) (cert, key string) {
	a.tb.Helper()
	cert, key = filepath.Join(a.dir, name+".crt"), filepath.Join(a.dir, name+".key")
	a.sign(&x509.Certificate{
		Subject: pkix.Name{Organization: []string{organization}, CommonName: name}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, cert, key)
	return cert, key
}

// PEM returns the file that has a certificate of Issue and its key.
func (a *Authority) PEM(name string) string { return filepath.Join(a.dir, name+".pem") }

// sign signs a certificate with the authority's key, or for a new authority with its own, and writes it.
func (a *Authority) sign(template *x509.Certificate, certPath, keyPath string) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.tb.Helper()
	must := func(err error) {
		a.tb.Helper()
		if err != nil {
			a.tb.Fatalf("testenv: %v", err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	a.last++
	template.SerialNumber = big.NewInt(a.last)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	must(err)
	cert, err := x509.ParseCertificate(der)
	must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	certText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	must(os.WriteFile(certPath, certText, 0o600))
	must(os.WriteFile(keyPath, keyText, 0o600))
	must(os.WriteFile(certPath[:len(certPath)-len(".crt")]+".pem", append(certText, keyText...), 0o600))
	return cert, key
}
