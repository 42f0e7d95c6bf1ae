package process

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// Failure is an error that a program ends with: one sentence for the operator that says what
// to do. The text of its cause is not part of it; the cause is matched by errors.Is and
// errors.As.
type Failure struct {
	Sentence string
	Cause    error // may be nil
}

// Error returns the sentence.
func (f *Failure) Error() string { return f.Sentence }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// ErrUsage marks the errors about a command line that cannot be meant: an unknown flag, a
// value that is not one of its kind, flags that contradict each other.
var ErrUsage = errors.New("wrong usage")

// Usage returns a Failure that matches ErrUsage. Its sentence, which fmt.Sprintf makes, names
// the flag: CommandLine.Named puts the variable there if that was used.
func Usage(format string, args ...any) error {
	return &Failure{Sentence: fmt.Sprintf(format, args...), Cause: ErrUsage}
}

// Positive fails with ErrUsage unless the value of a flag is above zero.
func Positive[N int | int64 | time.Duration](flag string, value N) error {
	if value > 0 {
		return nil
	}
	return Usage("%s must be above 0, and is %v", flag, value)
}

// Reason names in a few words why a file or a network address could not be used. It returns
// "" for an error that it does not know.
func Reason(err error) string {
	var dns *net.DNSError
	var timeout interface{ Timeout() bool }
	switch {
	case err == nil:
		return ""
	case errors.As(err, &dns):
		if !MayTell(dns.Name) {
			return "its host cannot be looked up"
		}
		if dns.IsNotFound {
			return "no host " + dns.Name + " is known"
		}
		return "the name " + dns.Name + " cannot be looked up"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EADDRINUSE):
		return "the address is in use"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine has no such address"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "no route leads there"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection was cut"
	case errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(x509.UnknownAuthorityError)),
		errors.As(err, new(x509.HostnameError)):
		return "its certificate is not trusted"
	case errors.As(err, new(tls.RecordHeaderError)):
		return "it does not speak TLS"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "there is no space left"
	case errors.Is(err, syscall.EROFS):
		return "the file system is read-only"
	case errors.Is(err, syscall.ENOTDIR):
		return "it is a file, not a folder"
	case errors.Is(err, syscall.EISDIR):
		return "it is a folder, not a file"
	case errors.Is(err, fs.ErrPermission):
		return "permission denied"
	case errors.Is(err, fs.ErrNotExist):
		return "it does not exist"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	return ""
}
