package setup

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/internal/process"
)

// encode is the advice about passwords in addresses.
const encode = "in a user or a password, characters such as @ : / ? # % must be percent-encoded"

// CheckMongoDBURI fails with a Failure when the value of a flag, called name, is not the
// connection string of a MongoDB deployment. The sentence has no part of the value, which
// may hold a password.
func CheckMongoDBURI(name, uri string) error {
	address, _, _ := strings.Cut(uri, "?")
	// A second @ is one of a password. The driver would take what follows the first for a host.
	_, err := connstring.ParseAndValidate(uri)
	if err == nil && strings.Count(address, "@") < 2 {
		return nil
	}
	return &process.Failure{
		Sentence: name + " is not a connection string like mongodb://user:password@host:27017/eventio?replicaSet=rs0, with a port up to 65535; " + encode,
		Cause:    err,
	}
}

// CheckNATSURL fails with a Failure when the value of a flag, called name, is not a list of
// addresses of NATS servers. The sentence has no part of the value, which may hold a
// password.
func CheckNATSURL(name, servers string) error {
	for server := range strings.SplitSeq(servers, ",") {
		if err := checkNATSServer(strings.TrimSpace(server)); err != nil {
			return &process.Failure{
				Sentence: name + " is not a list of addresses like nats://user:password@host:4222, each with a port up to 65535; " + encode,
				Cause:    err,
			}
		}
	}
	return nil
}

// errAddress is the cause of a refused address; the text of net/url quotes parts of it.
var errAddress = errors.New("not an address of a NATS server")

// checkNATSServer accepts what NATS clients do: a scheme and a port may be missing.
func checkNATSServer(server string) error {
	if server == "" {
		return nil // a comma too many
	}
	if !strings.Contains(server, "://") {
		server = "nats://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || strings.Count(server, "@") > 1 {
		return errAddress
	}
	switch u.Scheme {
	case "nats", "tls", "ws", "wss":
	default:
		return errAddress
	}
	if port, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || port < 1 || port > 65535) {
		return errAddress
	}
	return nil
}

// hosts lists the hosts of addresses that CheckNATSURL has accepted, without passwords.
func hosts(servers string) string {
	var list []string
	for server := range strings.SplitSeq(servers, ",") {
		server = strings.TrimSpace(server)
		if !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		if u, err := url.Parse(server); err == nil && u.Host != "" {
			list = append(list, u.Host)
		}
	}
	return strings.Join(list, ", ")
}

// readFile reads the file that a flag, called name, gives. Its errors are Failures.
func readFile(name, path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		reason := process.Reason(err)
		if reason == "" {
			reason = "unknown reason"
		}
		return nil, &process.Failure{Sentence: fmt.Sprintf("%s: the file %s cannot be read: %s", name, path, reason), Cause: err}
	}
	return data, nil
}

// checkCertificates fails with a Failure when the file that a flag gives has no certificate.
func checkCertificates(name, path string) error {
	data, err := readFile(name, path)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(data) {
		err = &process.Failure{Sentence: fmt.Sprintf("%s: the file %s has no certificate in PEM form", name, path)}
	}
	return err
}
