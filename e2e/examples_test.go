//go:build gateways

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/eventio/eventio/internal/testenv"
	"github.com/eventio/eventio/internal/testenv/nginx"
)

// publicName is the name in the files of deploy/gateway.
const publicName = "tickets.example.org"

// example is what a gateway needs beside its files in deploy/gateway, to run them on this machine.
type example struct {
	files   []string // in deploy/gateway; the first is CONFIG, unless main is set
	main    string   // a configuration around them
	replace []string // pairs: what they say, what is put there
	env     []string // what its files want of the API processes
	retries []string // pairs that leave retries to the gateway's own defaults
}

// exampleGateways has one for each folder of deploy/gateway.
var exampleGateways = map[string]example{
	"nginx": {
		files:   []string{"nginx/eventio.conf"},
		main:    nginx.Config("include FOLDER/eventio.conf;"),
		replace: []string{"listen 443", "listen LISTEN"},
		env:     []string{"EVENTIO_DRAIN_DELAY=6s"},
		retries: []string{"proxy_next_upstream error timeout;", "", "proxy_next_upstream_tries 2;", ""},
	},
	"haproxy": {
		files:   []string{"haproxy/haproxy.cfg"},
		replace: []string{"bind :443", "bind LISTEN", "/etc/haproxy/tickets.pem", "FOLDER/both.pem", "maxconn 20000", "maxconn 1000"},
		retries: []string{"option redispatch", "", "retries 2", "", "retry-on conn-failure", ""},
	},
	"caddy": {
		files: []string{"caddy/Caddyfile"},
		replace: []string{
			publicName + " {", "{\n\tadmin off\n\tauto_https disable_redirects\n}\nhttps://" + publicName + ":PORT {\n\tbind 127.0.0.1\n\ttls FOLDER/cert.pem FOLDER/key.pem",
			"# trusted_proxies 10.0.1.0/24", "trusted_proxies " + outerAddress + "/32",
		},
		retries: []string{"lb_try_duration 2s", "", "lb_try_interval 100ms", ""},
	},
	"envoy": {
		files: []string{"envoy/envoy.yaml"},
		replace: []string{
			"address: 0.0.0.0, port_value: 443", "address: 127.0.0.1, port_value: PORT",
			"address: 10.0.0.11, port_value: 3000", "address: 127.0.0.1, port_value: API1",
			"address: 10.0.0.12, port_value: 3000", "address: 127.0.0.1, port_value: API2",
		},
		retries: []string{"num_retries: 3", "num_retries: 0"}, // without a policy there are none
	},
	"traefik": {
		files: []string{"traefik/traefik.yaml", "traefik/eventio.yaml"},
		replace: []string{
			`address: ":443"`, "address: LISTEN", "/etc/traefik/", "FOLDER/",
			"# forwardedHeaders: { trustedIPs: [10.0.1.0/24] }", "forwardedHeaders: { trustedIPs: [" + outerAddress + "/32] }",
		},
		retries: []string{"attempts: 8", "attempts: 1"}, // without the middleware there are none
	},
	"apache2": {
		files:   []string{"apache/eventio.conf"},
		main:    apacheAround(apacheModules + "Include FOLDER/eventio.conf"),
		replace: []string{"*:443", "LISTEN"},
	},
}

const apacheModules = `LoadModule ssl_module ROOT/usr/lib/apache2/modules/mod_ssl.so
LoadModule http2_module ROOT/usr/lib/apache2/modules/mod_http2.so
LoadModule slotmem_shm_module ROOT/usr/lib/apache2/modules/mod_slotmem_shm.so
LoadModule proxy_balancer_module ROOT/usr/lib/apache2/modules/mod_proxy_balancer.so
LoadModule proxy_hcheck_module ROOT/usr/lib/apache2/modules/mod_proxy_hcheck.so
LoadModule lbmethod_byrequests_module ROOT/usr/lib/apache2/modules/mod_lbmethod_byrequests.so
LoadModule lbmethod_bybusyness_module ROOT/usr/lib/apache2/modules/mod_lbmethod_bybusyness.so
`

// impatient are settings with which a gateway waits 2 s where the examples wait longer for a process that is silent.
var impatient = []string{
	"proxy_read_timeout 30s", "proxy_read_timeout 2s", "timeout server 30s", "timeout server 2s",
	"response_header_timeout 30s", "response_header_timeout 2s", "responseHeaderTimeout: 30s", "responseHeaderTimeout: 2s",
	"stream_idle_timeout: 60s", "stream_idle_timeout: 2s", "timeout=30 ", "timeout=2 ",
}

// front is a gateway of deploy/gateway that runs before two API processes.
type front struct {
	*testenv.Program
	url   string
	roots *x509.CertPool
}

// startExample starts a gateway with its files of deploy/gateway, before the processes at two addresses.
func startExample(t *testing.T, name string, apis [2]string, changes ...string) *front {
	t.Helper()
	x, dir := exampleGateways[name], t.TempDir()
	roots := writeCertificate(t, dir)
	port := func(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }
	// Longer ones first: what is put in place has placeholders of its own, which gateway.start fills.
	own := strings.NewReplacer(append(append(changes, x.replace...),
		"10.0.0.11:3000", apis[0], "10.0.0.12:3000", apis[1], "/etc/ssl/eventio/", "FOLDER/")...)
	apiPorts := strings.NewReplacer("API1", port(apis[0]), "API2", port(apis[1]))
	files := make(map[string]string)
	for _, file := range x.files {
		text, err := os.ReadFile("../deploy/gateway/" + file)
		succeeds(t, err)
		files[filepath.Base(file)] = apiPorts.Replace(own.Replace(string(text)))
	}
	for _, file := range []string{"cert.pem", "key.pem", "both.pem"} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		succeeds(t, err)
		files[file] = string(text)
	}
	config := own.Replace(x.main)
	if config == "" {
		config = files[filepath.Base(x.files[0])]
	}
	base, p := startGateway(t, name, config, files)
	return &front{Program: p, url: strings.Replace(base, "http:", "https:", 1), roots: roots}
}

// writeCertificate makes a certificate for publicName, and writes cert.pem, key.pem and both.pem.
func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	succeeds(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: publicName}, DNSNames: []string{publicName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	succeeds(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	succeeds(t, err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for file, text := range map[string][]byte{"cert.pem": cert, "key.pem": secret, "both.pem": append(slices.Clip(cert), secret...)} {
		succeeds(t, os.WriteFile(filepath.Join(dir, file), text, 0o644))
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return roots
}

// transport is that of a client of the gateway at another loopback address, which believes its certificate.
func (f *front) transport(t *testing.T, address string) *http.Transport {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	tr := &http.Transport{
		DialContext: dialer.DialContext, MaxIdleConnsPerHost: 64,
		TLSClientConfig: &tls.Config{RootCAs: f.roots, ServerName: publicName},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// pair is two API processes that may be ended and started again where they were.
type pair struct {
	t       *testing.T // whose end is theirs
	cluster *cluster
	addrs   [2]string
	apis    [2]*process
	all     []*process // also those that have ended
}

func startPair(t *testing.T, c *cluster) *pair {
	t.Helper()
	p := &pair{t: t, cluster: c}
	for i := range p.apis {
		port, err := testenv.FreePort()
		succeeds(t, err)
		p.addrs[i] = "127.0.0.1:" + strconv.Itoa(port)
		p.start(i)
	}
	return p
}

func (p *pair) start(i int) {
	p.t.Helper()
	p.apis[i] = p.cluster.with("EVENTIO_ADDR="+p.addrs[i]).start(p.t, "api")
	p.all = append(p.all, p.apis[i])
	ready(p.t, p.addrs[i])
}

// back starts an API process again, and waits until the gateway sends it people.
func (p *pair) back(t *testing.T, i int) {
	t.Helper()
	p.start(i)
	testenv.Eventually(t, limit, "people at the one that is back", func() error {
		if !p.apis[i].Says(`"route":"/api/events/{id}/registrations`) {
			return errors.New("nobody has come")
		}
		return nil
	})
}
