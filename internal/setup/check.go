package setup

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/nats-io/nkeys"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"github.com/eventio/eventio/internal/process"
)

// encode is the advice about passwords in addresses.
const encode = "in a user or a password, characters such as @ : / ? # % must be percent-encoded"

// CheckMongoDBURI fails with process.ErrUsage when the value of a flag is not the connection
// string of a MongoDB deployment, and with a Failure when a file that it names cannot be read.
// The sentence has no part of the value but that file: the value may hold a password.
func CheckMongoDBURI(flag, uri string) error {
	address, _, _ := strings.Cut(uri, "?")
	// A second @ is one of a password. The driver would take what follows the first for a host.
	if _, err := connstring.ParseAndValidate(uri); err != nil || strings.Count(address, "@") > 1 {
		return process.Usage("%s is not a connection string like mongodb://user:password@host:27017/eventio?replicaSet=rs0, with a port up to 65535; %s", flag, encode)
	}
	err := options.Client().ApplyURI(uri).Validate()
	var file *fs.PathError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &file):
		return unreadable(flag, file.Path, err)
	}
	return &process.Failure{Sentence: flag + " has an option that the MongoDB driver refuses: look at what follows the question mark", Cause: err}
}

// CheckNATSURL fails with process.ErrUsage when the value of a flag is not a list of addresses
// of NATS servers. The sentence has no part of the value, which may hold a password.
func CheckNATSURL(flag, servers string) error {
	for server := range strings.SplitSeq(servers, ",") {
		if !isNATSServer(strings.TrimSpace(server)) {
			return process.Usage("%s is not a list of addresses like nats://user:password@host:4222, each with a port up to 65535; %s", flag, encode)
		}
	}
	return nil
}

// isNATSServer accepts what NATS clients do: a scheme and a port may be missing.
func isNATSServer(server string) bool {
	if server == "" {
		return true // a comma too many
	}
	if !strings.Contains(server, "://") {
		server = "nats://" + server
	}
	u, err := url.Parse(server)
	if err != nil || u.Hostname() == "" || strings.Count(server, "@") > 1 {
		return false
	}
	switch u.Scheme {
	case "nats", "tls", "ws", "wss":
	default:
		return false
	}
	port, err := strconv.Atoi(u.Port())
	return u.Port() == "" || err == nil && port >= 1 && port <= 65535
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

// readFile reads the file that a flag gives. Its errors are Failures.
func readFile(flag, path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, unreadable(flag, path, err)
	}
	return data, nil
}

// named returns the name of a file with a space before it, or nothing when it may hold a secret.
func named(path string) string {
	if !process.MayTell(path) {
		return ""
	}
	return " " + path
}

// unreadable returns the Failure about a file that a flag gives.
func unreadable(flag, path string, err error) error {
	return &process.Failure{Sentence: fmt.Sprintf("%s: the file%s cannot be read: %s", flag, named(path),
		cmp.Or(process.Reason(err), "unknown reason")), Cause: err}
}

// checkCertificates fails with a Failure when the file that a flag gives has no certificate.
func checkCertificates(flag, path string) error {
	data, err := readFile(flag, path)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(data) {
		err = &process.Failure{Sentence: fmt.Sprintf("%s: the file%s has no certificate in PEM form", flag, named(path))}
	}
	return err
}

// checkCredentials fails with a Failure when the file that a flag gives has no key of NATS.
func checkCredentials(flag, path string) error {
	data, err := readFile(flag, path)
	if err != nil {
		return err
	}
	if _, err := nkeys.ParseDecoratedNKey(data); err != nil {
		return &process.Failure{Sentence: fmt.Sprintf("%s: the file%s has no JWT with its key, as nsc generate creds writes them", flag, named(path))}
	}
	return nil
}
