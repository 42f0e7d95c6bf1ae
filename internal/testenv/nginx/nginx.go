// Package nginx runs a real nginx before an API process.
package nginx

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/eventio/eventio/internal/testenv"
)

// Config returns the configuration around that of a server. It has FOLDER for nginx's own folder.
func Config(server string) string {
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n" // its workers write into a folder that is for nobody else
	}
	return user + `daemon off;
pid FOLDER/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
	access_log off;
	client_body_temp_path FOLDER/body;
	proxy_temp_path FOLDER/proxy;
	fastcgi_temp_path FOLDER/fastcgi;
	uwsgi_temp_path FOLDER/uwsgi;
	scgi_temp_path FOLDER/scgi;
	` + server + `
}
`
}

// Start starts an nginx before the API process at an address, and returns its own address, where it will listen soon. Its folder
// and its log are in dir. It has the configuration of deploy/gateway/nginx, without TLS. Its workers outlive it when it is killed:
// end it with SIGTERM.
func Start(ctx context.Context, dir, api string) (addr string, _ *testenv.Program, err error) {
	binary, err := testenv.Script(ctx, "gateways.sh", "nginx")
	if err != nil {
		return "", nil, err
	}
	server, err := testenv.ReadFile("deploy/gateway/nginx/eventio.conf")
	if err != nil {
		return "", nil, err
	}
	port, err := testenv.FreePort()
	if err != nil {
		return "", nil, err
	}
	folder, err := os.MkdirTemp(dir, "nginx-")
	if err != nil {
		return "", nil, err
	}
	addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	server = strings.NewReplacer("10.0.0.11:3000", api, "443 ssl http2", addr,
		"    server 10.0.0.12:3000 max_fails=1 fail_timeout=5s;\n", "",
		"    ssl_certificate /etc/ssl/eventio/cert.pem;\n    ssl_certificate_key /etc/ssl/eventio/key.pem;\n", "",
	).Replace(server)
	config := strings.ReplaceAll(Config(server), "FOLDER", folder)
	path := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return "", nil, err
	}
	p, err := testenv.StartProgram(dir, "nginx", exec.Command(binary, "-p", folder, "-c", path, "-e", "stderr"))
	return addr, p, err
}
