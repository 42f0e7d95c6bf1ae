package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Client makes the requests of one person to one Event.io. The zero value is not usable: make
// one with [New]. It is safe for concurrent use.
type Client struct {
	base   string // without a slash at the end
	config Config
}

// Config has the settings of a client. The zero value works.
type Config struct {
	// HTTP sends the requests, and stays the caller's. nil: http.DefaultClient, which keeps two
	// idle connections to a host; for many calls at once give one whose transport keeps more.
	HTTP *http.Client
	// Token says who acts. It is asked before each attempt, by many goroutines, so that it may
	// renew a token that expires. nil: nobody, which is enough for reading events, signing up
	// and logging in, and for a server in trusted mode.
	Token TokenSource
	// Retry says how often a call is sent.
	Retry Retry
}

// TokenSource gives the token of the person who acts, as [Client.SignUp] and [Client.LogIn]
// return it. An empty token sends none. An error ends the call; nothing was sent then.
type TokenSource func(ctx context.Context) (string, error)

// New makes a client of the Event.io at baseURL, like https://events.example.org. It fails on
// anything but an absolute http or https URL without query and fragment, and sends nothing.
func New(baseURL string, config Config) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("eventio client: %q is not a URL like https://events.example.org", baseURL)
	}
	if config.HTTP == nil {
		config.HTTP = http.DefaultClient
	}
	config.Retry = config.Retry.withDefaults()
	return &Client{base: strings.TrimRight(baseURL, "/"), config: config}, nil
}

// As returns a client that acts for the person of a token, over the same connections and with
// the same settings. An empty token makes one that acts for nobody.
func (c *Client) As(token string) *Client {
	return c.WithToken(func(context.Context) (string, error) { return token, nil })
}

// WithToken returns a client that asks another source for its tokens, over the same connections
// and with the same settings.
func (c *Client) WithToken(source TokenSource) *Client {
	other := *c
	other.config.Token = source
	return &other
}

// URL returns the base URL, without a slash at the end.
func (c *Client) URL() string { return c.base }
