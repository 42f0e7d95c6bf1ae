//go:build gateways

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/eventio/eventio/internal/testenv"
)

const (
	issuerAudience = "eventio-api"
	issuerPassword = "verysecure" // of everybody
	issuerReturn   = "http://localhost:9999/callback"
)

// oidcServer is zitadel/oidc's OpenID Connect server (tools/issuer) in a process of its own. Everybody is a person of it, and
// every program. Its methods are safe for concurrent use.
type oidcServer struct {
	*testenv.Program
	url  string
	http http.Client // it follows no redirection
}

func startIssuer(t *testing.T) *oidcServer {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "issuer")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-C", "../tools", "-o", binary, "./issuer").CombinedOutput(); err != nil {
		t.Fatalf("build the issuer: %v\n%s", err, out)
	}
	p := testenv.RunProgram(t, exec.Command(binary, "-audience", issuerAudience, "-password", issuerPassword, "-redirect", issuerReturn))
	address, err := p.Find(t.Context(), "issuer ")
	succeeds(t, err)
	tr := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(tr.CloseIdleConnections)
	return &oidcServer{p, address, http.Client{
		Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// rotate makes a new key. The one before is published until the next time.
func (o *oidcServer) rotate(t *testing.T) {
	t.Helper()
	_, _, err := o.ask(t.Context(), "POST", "/rotate", nil, http.StatusOK)
	succeeds(t, err)
}

// ofProgram returns an access token of a program, by the client credentials grant (RFC 6749, section 4.4).
func (o *oidcServer) ofProgram(ctx context.Context, name string) (string, error) {
	token, err := o.token(ctx, name, url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}})
	return token.Access, err
}

// ofPerson logs a person in by the authorization code flow, as a browser and a client do (OpenID Connect Core 1.0, section
// 3.1), and returns their ID token.
func (o *oidcServer) ofPerson(ctx context.Context, name string) (string, error) {
	_, at, err := o.ask(ctx, "GET", "/auth?"+url.Values{
		"client_id": {issuerAudience}, "redirect_uri": {issuerReturn}, "response_type": {"code"},
		"scope": {"openid profile email"}, "state": {name},
	}.Encode(), nil, http.StatusFound)
	if err != nil {
		return "", err
	}
	page, _, err := o.ask(ctx, "GET", at, nil, http.StatusOK)
	if err != nil {
		return "", err
	}
	hidden := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page)
	if hidden == nil {
		return "", fmt.Errorf("the page of the log-in has no id:\n%s", page)
	}
	_, at, err = o.ask(ctx, "POST", "/login/username", url.Values{
		"id": {hidden[1]}, "username": {name}, "password": {issuerPassword},
	}, http.StatusFound)
	if err != nil {
		return "", err
	}
	_, at, err = o.ask(ctx, "GET", at, nil, http.StatusFound)
	if err != nil {
		return "", err
	}
	back, err := url.Parse(at)
	if err != nil || back.Query().Get("state") != name {
		return "", fmt.Errorf("a person is sent to %s: %w", at, cmp.Or(err, errors.New("with another state")))
	}
	token, err := o.token(ctx, issuerAudience, url.Values{
		"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {issuerReturn},
	})
	return token.ID, err
}

type issuedTokens struct {
	Access string `json:"access_token"`
	ID     string `json:"id_token"`
}

// token asks for tokens as a client.
func (o *oidcServer) token(ctx context.Context, client string, form url.Values) (tokens issuedTokens, err error) {
	form.Set("client_id", client)
	text, _, err := o.ask(ctx, "POST", "/oauth/token", form, http.StatusOK)
	if err == nil {
		err = json.Unmarshal([]byte(text), &tokens)
	}
	return tokens, err
}

// ask makes a request, with the password of the client that a form names, and returns the body and where to go next.
func (o *oidcServer) ask(ctx context.Context, method, path string, form url.Values, status int) (text, location string, err error) {
	if strings.HasPrefix(path, "/") {
		path = o.url + path
	}
	r, err := http.NewRequestWithContext(ctx, method, path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if client := form.Get("client_id"); client != "" && method == "POST" {
		r.SetBasicAuth(client, issuerPassword)
	}
	res, err := o.http.Do(r)
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != status {
		err = fmt.Errorf("%s %s: %s %s", method, path, res.Status, body)
	}
	return string(body), res.Header.Get("Location"), err
}
