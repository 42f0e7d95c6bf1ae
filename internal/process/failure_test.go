package process

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"syscall"
	"testing"
)

func TestReason(t *testing.T) {
	for want, err := range map[string]error{
		"":                                 nil,
		"connection refused":               &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
		"no host db is known":              &net.DNSError{Name: "db", IsNotFound: true},
		"the name dbs cannot be looked up": fmt.Errorf("dial: %w", &net.DNSError{Name: "dbs", IsTimeout: true}),
		"the address is in use":            syscall.EADDRINUSE,
		"this machine has no such address": syscall.EADDRNOTAVAIL,
		"no route leads there":             syscall.EHOSTUNREACH,
		"the connection was cut":           syscall.ECONNRESET,
		"there is no space left":           syscall.ENOSPC,
		"the file system is read-only":     syscall.EROFS,
		"it is a file, not a folder":       &fs.PathError{Err: syscall.ENOTDIR},
		"it is a folder, not a file":       &fs.PathError{Err: syscall.EISDIR},
		"permission denied":                &fs.PathError{Err: syscall.EACCES},
		"it does not exist":                &fs.PathError{Err: syscall.ENOENT},
		"interrupted":                      context.Canceled,
		"no answer in time":                context.DeadlineExceeded,
		"its certificate is not trusted":   fmt.Errorf("dial: %w", &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}),
		"it does not speak TLS":            fmt.Errorf("dial: %w", tls.RecordHeaderError{Msg: "first record"}),
	} {
		if got := Reason(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	if got := Reason(errors.New("something else")); got != "" {
		t.Errorf("an unknown error: %q", got)
	}
}

func TestFailureHidesItsCause(t *testing.T) {
	err := fmt.Errorf("start: %w", &Failure{"the folder is gone", fs.ErrNotExist})
	if err.Error() != "start: the folder is gone" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
