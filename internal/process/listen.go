package process

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Listen opens the listener of a server at addr, host:port, the value of --addr. Its errors
// are Failures; they match ErrUsage when addr is no address.
func Listen(addr string) (net.Listener, error) {
	if _, _, err := splitAddr(addr); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false) // the system asks no filter about its packets, see barDoor
	listener, err := config.Listen(context.Background(), "tcp", addr)
	if err != nil {
		reason := Reason(err)
		if reason == "" {
			reason = "the system refuses it"
		}
		return nil, &Failure{fmt.Sprintf("cannot listen on %s: %s; choose another address with --addr", addr, reason), err}
	}
	return listener, nil
}

// splitAddr splits host:port and fails with ErrUsage when addr is not that.
func splitAddr(addr string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(addr)
	if err != nil || !MayTell(host) {
		return "", "", Usage("--addr: %s is not an address like 127.0.0.1:3000", Quote(addr))
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return "", "", Usage("--addr: the port of %s is not a number from 0 to 65535", Quote(addr))
	}
	return host, port, nil
}

// healthLimit bounds a health check.
const healthLimit = 3 * time.Second

// Healthcheck asks the process at addr whether it is ready: for container health checks,
// in an image that has no shell. Its errors are Failures.
func Healthcheck(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	host, port, err := splitAddr(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	url := "http://" + net.JoinHostPort(host, port) + "/readyz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return Usage("--addr: %s is not an address like 127.0.0.1:3000", Quote(addr))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		reason := Reason(err)
		if reason == "" {
			reason = "no HTTP answer"
		}
		return &Failure{fmt.Sprintf("%s cannot be asked: %s; is the process running, and is --addr its address?", url, reason), err}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return &Failure{Sentence: fmt.Sprintf("not ready: %s answers %s; the log of the process says why", url, res.Status)}
	}
	return nil
}
