package setup

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/web"
)

// Pages are the flags of the pages.
type Pages struct {
	Sitemap string `env:"EVENTIO_SITEMAP" placeholder:"URL" help:"Where people reach the pages, like https://events.example.org: /sitemap.xml then lists the coming events for search engines, and /robots.txt names it. By default there is no such list."`
}

// Handler returns what makes the pages, for api.Config. Its errors match process.ErrUsage.
func (p Pages) Handler() (func(unknown, routes http.Handler) http.Handler, error) {
	if p.Sitemap == "" {
		return web.Handler, nil
	}
	u, err := url.Parse(p.Sitemap)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, process.Usage("--sitemap must be where people reach the pages, like https://events.example.org")
	}
	return web.Settings{Sitemap: strings.TrimRight(u.String(), "/")}.Handler, nil
}
