package forwarded

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The gateway stands at 10.0.0.1, and trusted are its network and a content delivery network's. The client is
// at 198.51.100.7.
const (
	gateway = "10.0.0.1:40000"
	client  = "198.51.100.7"
)

var trusted = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("fd00::/8"),
}

// request makes a request from an address, with headers as pairs of a name and a line.
func request(from string, headers ...string) *http.Request {
	r := &http.Request{RemoteAddr: from, Host: "tickets.example", Header: http.Header{}, ProtoMajor: 1, ProtoMinor: 1}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Add(pair[0], pair[1])
	}
	return r
}

const (
	xff  = "X-Forwarded-For"
	xfp  = "X-Forwarded-Proto"
	xfh  = "X-Forwarded-Host"
	port = "X-Forwarded-Port"
	path = "X-Forwarded-Prefix"
	xri  = "X-Real-IP"
	rfc  = "Forwarded"
)

// TestClient: who the client is, by what limits count, and what was not understood.
func TestClient(t *testing.T) {
	const unknown = "unknown via 10.0.0.1"
	missing := Unread{xff, ""}
	for name, c := range map[string]struct {
		headers []string
		key     string
		unread  []Unread
	}{
		"one_address":                    {[]string{xff, client}, client, nil},
		"blanks":                         {[]string{xff, " \t" + client + " "}, client, nil},
		"with_port":                      {[]string{xff, client + ":51234"}, client, nil},
		"in_quotes":                      {[]string{xff, `"` + client + `"`}, client, nil},
		"ipv6":                           {[]string{xff, "2001:db8:1:2:3::4"}, "2001:db8:1:2::/64", nil},
		"ipv6_in_capitals":               {[]string{xff, "2001:DB8:1:2:3::4"}, "2001:db8:1:2::/64", nil},
		"ipv6_in_brackets":               {[]string{xff, "[2001:db8:1:2::4]"}, "2001:db8:1:2::/64", nil},
		"ipv6_with_port":                 {[]string{xff, "[2001:db8:1:2::4]:51234"}, "2001:db8:1:2::/64", nil},
		"ipv6_with_zone":                 {[]string{xff, "fe80::1%eth0"}, "fe80::/64", nil},
		"ipv4_in_ipv6":                   {[]string{xff, "::ffff:" + client}, client, nil},
		"forged_by_the_client":           {[]string{xff, "192.0.2.66, " + client}, client, nil},
		"forged_in_a_line_of_its_own":    {[]string{xff, "192.0.2.66", xff, client}, client, nil},
		"forged_as_a_gateway":            {[]string{xff, "192.0.2.66, 10.0.0.9, " + client}, client, nil},
		"garbage_of_the_client":          {[]string{xff, "unknown, <script>, " + client}, client, nil},
		"two_gateways":                   {[]string{xff, client + ", 203.0.113.5"}, client, nil},
		"two_gateways_and_forged":        {[]string{xff, "192.0.2.66, " + client + ", 203.0.113.5"}, client, nil},
		"two_gateways_in_two_lines":      {[]string{xff, client, xff, "203.0.113.5"}, client, nil},
		"google":                         {[]string{xff, "192.0.2.66," + client + ",203.0.113.5"}, client, nil},
		"empty_elements":                 {[]string{xff, ", " + client + " ,, ,"}, client, nil},
		"from_within":                    {[]string{xff, "10.0.0.77"}, "10.0.0.77", nil},
		"from_within_by_two":             {[]string{xff, "10.0.0.77, 203.0.113.5"}, "10.0.0.77", nil},
		"ipv6_gateway_as_mapped":         {[]string{xff, client + ", ::ffff:10.0.0.9"}, client, nil},
		"nothing":                        {nil, "10.0.0.1", []Unread{missing}},
		"empty":                          {[]string{xff, ""}, "10.0.0.1", []Unread{missing}},
		"unknown":                        {[]string{xff, "unknown"}, unknown, []Unread{{xff, "unknown"}}},
		"hidden":                         {[]string{xff, "_hidden"}, unknown, []Unread{{xff, "_hidden"}}},
		"unknown_behind_two":             {[]string{xff, client + ", unknown, 203.0.113.5"}, "unknown via 203.0.113.5", []Unread{{xff, "unknown"}}},
		"name":                           {[]string{xff, "client.example"}, unknown, []Unread{{xff, "client.example"}}},
		"number_too_high":                {[]string{xff, "198.51.100.256"}, unknown, []Unread{{xff, "198.51.100.256"}}},
		"leading_zeros":                  {[]string{xff, "198.051.100.007"}, unknown, []Unread{{xff, "198.051.100.007"}}},
		"port_that_is_none":              {[]string{xff, client + ":x"}, unknown, []Unread{{xff, client + ":x"}}},
		"bracket_that_does_not_end":      {[]string{xff, "[2001:db8::1"}, unknown, []Unread{{xff, "[2001:db8::1"}}},
		"ipv4_in_brackets":               {[]string{xff, "[" + client + "]"}, unknown, []Unread{{xff, "[" + client + "]"}}},
		"nobody":                         {[]string{xff, "0.0.0.0"}, unknown, []Unread{{xff, "0.0.0.0"}}},
		"nobody_in_ipv6":                 {[]string{xff, "::"}, unknown, []Unread{{xff, "::"}}},
		"real_ip":                        {[]string{xri, client}, client, nil},
		"real_ip_with_port":              {[]string{xri, client + ":51234"}, client, nil},
		"real_ip_twice":                  {[]string{xri, "192.0.2.66", xri, client}, client, nil},
		"real_ip_that_is_a_list":         {[]string{xri, "192.0.2.66, " + client}, unknown, []Unread{{"X-Real-Ip", "192.0.2.66, " + client}}},
		"real_ip_beside_another":         {[]string{xri, "192.0.2.66", xff, client}, client, nil},
		"real_ip_beside_forwarded":       {[]string{xri, "192.0.2.66", rfc, "for=" + client}, client, nil},
		"real_ip_beside_proto_only":      {[]string{xri, client, rfc, "proto=https"}, client, nil},
		"cloudflares_own":                {[]string{"CF-Connecting-IP", "192.0.2.66", xff, client + ", 203.0.113.5"}, client, nil},
		"forwarded":                      {[]string{rfc, "for=" + client}, client, nil},
		"forwarded_in_capitals":          {[]string{rfc, "FOR=" + client + ";Proto=HTTPS"}, client, nil},
		"forwarded_haproxy":              {[]string{rfc, "proto=http;for=" + client}, client, nil},
		"forwarded_quoted_with_port":     {[]string{rfc, `for="` + client + `:51234"`}, client, nil},
		"forwarded_with_port":            {[]string{rfc, "for=" + client + ":51234"}, client, nil},
		"forwarded_hidden_port":          {[]string{rfc, `for="` + client + `:_p1"`}, client, nil},
		"forwarded_ipv6":                 {[]string{rfc, `For="[2001:db8:1:2::4]:4711"`}, "2001:db8:1:2::/64", nil},
		"forwarded_ipv6_hidden_port":     {[]string{rfc, `For="[2001:db8:1:2::4]:_p"`}, "2001:db8:1:2::/64", nil},
		"forwarded_ipv6_not_quoted":      {[]string{rfc, "for=[2001:db8:1:2::4];proto=https"}, "2001:db8:1:2::/64", nil},
		"forwarded_escaped":              {[]string{rfc, `for="198.51.100\.7";x="\",for=192.0.2.66"`}, client, nil},
		"forwarded_blanks":               {[]string{rfc, " for=" + client + " ; proto=https , for=203.0.113.5 "}, client, nil},
		"forwarded_by_is_not_for":        {[]string{rfc, "by=192.0.2.66;for=" + client}, client, nil},
		"forwarded_several":              {[]string{rfc, "for=192.0.2.66, for=" + client + ", for=203.0.113.5"}, client, nil},
		"forwarded_several_lines":        {[]string{rfc, "for=" + client, rfc, `for="203.0.113.5:80"`}, client, nil},
		"forwarded_empty_elements":       {[]string{rfc, ",;, for=" + client + ";;,"}, client, nil},
		"forwarded_unknown":              {[]string{rfc, "for=unknown"}, unknown, []Unread{{rfc, "for=unknown"}}},
		"forwarded_hidden":               {[]string{rfc, `for="_gazonk:_p"`}, unknown, []Unread{{rfc, `for="_gazonk:_p"`}}},
		"forwarded_hidden_behind_two":    {[]string{rfc, "for=_x;proto=https, for=203.0.113.5"}, "unknown via 203.0.113.5", []Unread{{rfc, "for=_x;proto=https"}}},
		"forwarded_without_for_and_with": {[]string{rfc, "for=" + client + ", proto=https"}, unknown, []Unread{{rfc, "proto=https"}}},
		"forwarded_twice_in_an_element":  {[]string{rfc, "for=192.0.2.66;for=" + client}, unknown, []Unread{{rfc, "for=192.0.2.66;for=" + client}}},
		"forwarded_quote_of_the_client":  {[]string{rfc, `for="192.0.2.66, for=` + client}, unknown, []Unread{{rfc, `for="192.0.2.66, for=` + client}}},
		"forwarded_quotes_of_both":       {[]string{rfc, `x=", for="[2001:db8::1]"`}, unknown, []Unread{{rfc, `x=", for="[2001:db8::1]"`}}},
		"forwarded_quote_in_another":     {[]string{rfc, `for="192.0.2.66`, rfc, "for=" + client}, client, nil},
		"forwarded_not_of_the_grammar":   {[]string{rfc, client}, unknown, []Unread{{rfc, client}}},
		"forwarded_no_value":             {[]string{rfc, "for="}, unknown, []Unread{{rfc, "for="}}},
		"forwarded_empty_value":          {[]string{rfc, "for=" + client + ";by="}, client, nil},
		"forwarded_blank_for_semicolon":  {[]string{rfc, "for=" + client + " proto=https"}, unknown, []Unread{{rfc, "for=" + client + " proto=https"}}},
		"forwarded_more_behind_a_quote":  {[]string{rfc, `for="` + client + `"0`}, unknown, []Unread{{rfc, `for="` + client + `"0`}}},
		"forwarded_quote_without_end":    {[]string{rfc, "for=" + client + `;x="y`}, unknown, []Unread{{rfc, "for=" + client + `;x="y`}}},
		"forwarded_blank_in_a_name":      {[]string{rfc, "for=" + client + ";b y=1"}, unknown, []Unread{{rfc, "for=" + client + ";b y=1"}}},
		"both_agree":                     {[]string{xff, client, rfc, "for=" + client}, client, nil},
		"both_agree_in_other_words":      {[]string{xff, client + ":1", rfc, `for="` + client + `:2"`}, client, nil},
		"both_and_one_is_longer":         {[]string{xff, client + ", 203.0.113.5", rfc, "for=203.0.113.5"}, client, nil},
		"both_and_the_other_is_longer":   {[]string{xff, "203.0.113.5", rfc, "for=" + client + ",for=203.0.113.5"}, client, nil},
		"both_contradict": {[]string{xff, client, rfc, "for=192.0.2.66"}, unknown,
			[]Unread{{xff, client}, {rfc, "for=192.0.2.66"}}},
		"both_contradict_behind_two": {[]string{xff, client + ", 203.0.113.5", rfc, "for=192.0.2.66, for=203.0.113.5"}, "unknown via 203.0.113.5",
			[]Unread{{xff, client}, {rfc, "for=192.0.2.66"}}},
		"both_and_one_hides":            {[]string{xff, client, rfc, "for=_x"}, unknown, []Unread{{xff, client}, {rfc, "for=_x"}}},
		"both_and_one_tells_no_address": {[]string{xff, client, rfc, "proto=https;host=tickets.example"}, client, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := Read(request(gateway, c.headers...), trusted)
			if o.Key() != c.key || !reflect.DeepEqual(o.Unread, c.unread) {
				t.Errorf("counts as %q, not understood %q, want %q, %q", o.Key(), o.Unread, c.key, c.unread)
			}
		})
	}
}

// TestURL: by which URL the client called.
func TestURL(t *testing.T) {
	long := strings.Repeat("a", 250) + ".example"
	for name, c := range map[string]struct {
		headers []string
		url     string
		unread  []Unread
	}{
		"nothing":                        {nil, "http://tickets.example", nil},
		"https":                          {[]string{xfp, "https"}, "https://tickets.example", nil},
		"http":                           {[]string{xfp, "http"}, "http://tickets.example", nil},
		"capitals":                       {[]string{xfp, "HTTPS"}, "https://tickets.example", nil},
		"two_gateways":                   {[]string{xfp, "https,http"}, "https://tickets.example", nil},
		"two_gateways_blank":             {[]string{xfp, " Https , http"}, "https://tickets.example", nil},
		"two_lines":                      {[]string{xfp, "https", xfp, "http"}, "https://tickets.example", nil},
		"web_socket":                     {[]string{xfp, "wss"}, "https://tickets.example", nil},
		"another_scheme":                 {[]string{xfp, "on"}, "http://tickets.example", []Unread{{xfp, "on"}}},
		"another_scheme_first":           {[]string{xfp, "on,https"}, "http://tickets.example", []Unread{{xfp, "on"}}},
		"empty":                          {[]string{xfp, "", xfh, ",", port, " ", path, ""}, "http://tickets.example", nil},
		"host":                           {[]string{xfh, "Events.Example"}, "http://events.example", nil},
		"host_with_port":                 {[]string{xfh, "events.example:8443", xfp, "https"}, "https://events.example:8443", nil},
		"host_with_the_schemes_port":     {[]string{xfh, "events.example:443", xfp, "https"}, "https://events.example", nil},
		"host_with_the_other_port":       {[]string{xfh, "events.example:80", xfp, "https"}, "https://events.example:80", nil},
		"host_with_a_colon":              {[]string{xfh, "events.example:"}, "http://events.example", nil},
		"hosts":                          {[]string{xfh, "events.example, inner.example"}, "http://events.example", nil},
		"host_ipv6":                      {[]string{xfh, "[2001:DB8::1]:8080"}, "http://[2001:db8::1]:8080", nil},
		"host_ipv6_without_port":         {[]string{xfh, "[2001:db8::1]"}, "http://[2001:db8::1]", nil},
		"host_with_underscore":           {[]string{xfh, "my_host"}, "http://my_host", nil},
		"host_with_path":                 {[]string{xfh, "evil.example/x"}, "http://tickets.example", []Unread{{xfh, "evil.example/x"}}},
		"host_with_user":                 {[]string{xfh, "a@evil.example"}, "http://tickets.example", []Unread{{xfh, "a@evil.example"}}},
		"host_with_markup":               {[]string{xfh, `"><script>`}, "http://tickets.example", []Unread{{xfh, `"><script>`}}},
		"host_that_is_no_port":           {[]string{xfh, "events.example:99999"}, "http://tickets.example", []Unread{{xfh, "events.example:99999"}}},
		"host_of_258_bytes":              {[]string{xfh, long}, "http://tickets.example", []Unread{{xfh, long[:200]}}},
		"host_ipv6_without_brackets":     {[]string{xfh, "2001:db8::1"}, "http://tickets.example", []Unread{{xfh, "2001:db8::1"}}},
		"host_ipv4_in_brackets":          {[]string{xfh, "[192.0.2.1]"}, "http://tickets.example", []Unread{{xfh, "[192.0.2.1]"}}},
		"host_with_zone":                 {[]string{xfh, "[fe80::1%eth0]"}, "http://tickets.example", []Unread{{xfh, "[fe80::1%eth0]"}}},
		"host_bracket_does_not_end":      {[]string{xfh, "[2001:db8::1:80"}, "http://tickets.example", []Unread{{xfh, "[2001:db8::1:80"}}},
		"host_of_many_bytes":             {[]string{xfh, "a" + strings.Repeat("ü", 150)}, "http://tickets.example", []Unread{{xfh, "a" + strings.Repeat("ü", 99)}}},
		"port":                           {[]string{port, "8443", xfp, "https"}, "https://tickets.example:8443", nil},
		"port_of_the_scheme":             {[]string{port, "443", xfp, "https"}, "https://tickets.example", nil},
		"ports":                          {[]string{port, "8443,80"}, "http://tickets.example:8443", nil},
		"port_beside_one_in_host":        {[]string{port, "80", xfh, "events.example:8443"}, "http://events.example:8443", nil},
		"port_behind_tls":                {[]string{port, "80", xfp, "https"}, "https://tickets.example", []Unread{{port, "80"}}},
		"port_of_tls_without":            {[]string{port, "443"}, "http://tickets.example", []Unread{{port, "443"}}},
		"port_0":                         {[]string{port, "0"}, "http://tickets.example", []Unread{{port, "0"}}},
		"port_that_is_none":              {[]string{port, "https"}, "http://tickets.example", []Unread{{port, "https"}}},
		"prefix":                         {[]string{path, "/tickets"}, "http://tickets.example/tickets", nil},
		"prefix_with_slash":              {[]string{path, "/tickets/"}, "http://tickets.example/tickets", nil},
		"prefix_root":                    {[]string{path, "/"}, "http://tickets.example", nil},
		"prefixes":                       {[]string{path, "/a, /b/c"}, "http://tickets.example/a/b/c", nil},
		"prefixes_in_lines":              {[]string{path, "/a", path, "/b"}, "http://tickets.example/a/b", nil},
		"prefix_without_slash":           {[]string{path, "tickets"}, "http://tickets.example", []Unread{{path, "tickets"}}},
		"prefix_of_another_host":         {[]string{path, "//evil.example"}, "http://tickets.example", []Unread{{path, "//evil.example"}}},
		"prefix_with_dots":               {[]string{path, "/a/../b"}, "http://tickets.example", []Unread{{path, "/a/../b"}}},
		"prefix_with_a_dot":              {[]string{path, "/./a"}, "http://tickets.example", []Unread{{path, "/./a"}}},
		"prefix_with_query":              {[]string{path, "/a?b"}, "http://tickets.example", []Unread{{path, "/a?b"}}},
		"prefix_with_markup":             {[]string{path, `/"><script>`}, "http://tickets.example", []Unread{{path, `/"><script>`}}},
		"prefix_with_escape":             {[]string{path, "/%2e%2e"}, "http://tickets.example", []Unread{{path, "/%2e%2e"}}},
		"prefix_with_backslash":          {[]string{path, `/\evil.example`}, "http://tickets.example", []Unread{{path, `/\evil.example`}}},
		"prefix_of_which_one_is_none":    {[]string{path, "/a, //b"}, "http://tickets.example", []Unread{{path, "//b"}}},
		"forwarded":                      {[]string{rfc, `for=` + client + `;proto=https;host="events.example:8443"`}, "https://events.example:8443", nil},
		"forwarded_in_capitals":          {[]string{rfc, `For=` + client + `;Proto=HTTPS;Host=EVENTS.example`}, "https://events.example", nil},
		"forwarded_two_gateways":         {[]string{rfc, "for=" + client + ";proto=https;host=events.example, for=203.0.113.5;proto=http;host=inner"}, "https://events.example", nil},
		"forwarded_forged":               {[]string{rfc, "for=192.0.2.66;proto=https;host=evil.example, for=" + client + ";proto=http;host=events.example"}, "http://events.example", nil},
		"forwarded_without_addresses":    {[]string{rfc, "proto=https;host=events.example"}, "https://events.example", nil},
		"forwarded_hidden":               {[]string{rfc, "for=_x;proto=https"}, "https://tickets.example", []Unread{{rfc, "for=_x;proto=https"}}},
		"forwarded_another_scheme":       {[]string{rfc, "for=" + client + ";proto=gopher"}, "http://tickets.example", []Unread{{rfc, "gopher"}}},
		"forwarded_another_host":         {[]string{rfc, "for=" + client + `;host="a/b"`}, "http://tickets.example", []Unread{{rfc, "a/b"}}},
		"both_agree":                     {[]string{xfp, "https", xfh, "events.example", rfc, "for=" + client + ";proto=https;host=events.example"}, "https://events.example", nil},
		"both_and_the_first_is_not_read": {[]string{xfp, "on", xfh, "a/b", rfc, "for=" + client + ";proto=https;host=events.example"}, "https://events.example", []Unread{{xfp, "on"}, {xfh, "a/b"}}},
		"both_contradict_in_the_port":    {[]string{xfh, "events.example", rfc, "for=" + client + `;host="events.example:81"`}, "http://events.example", []Unread{{rfc, "host=events.example:81"}}},
		"both_and_one_cannot_be_read":    {[]string{xfh, "events.example", rfc, "for=" + client + `;host="a/b"`}, "http://events.example", []Unread{{rfc, "host=a/b"}}},
		"both_contradict": {[]string{xfp, "https", xfh, "events.example", rfc, "for=" + client + ";proto=http;host=evil.example"}, "https://events.example",
			[]Unread{{rfc, "proto=http"}, {rfc, "host=evil.example"}}},
	} {
		t.Run(name, func(t *testing.T) {
			headers := c.headers
			if !slices.Contains(headers, rfc) {
				headers = append([]string{xff, client}, headers...)
			} else if name == "forwarded_without_addresses" {
				headers = append([]string{xri, client}, headers...)
			}
			o := Read(request(gateway, headers...), trusted)
			if url := o.Scheme + "://" + o.Authority() + o.Prefix; url != c.url || !reflect.DeepEqual(o.Unread, c.unread) {
				t.Errorf("called by %s, not understood %q, want %s, %q", url, o.Unread, c.url, c.unread)
			}
		})
	}
}

// everything is what a client may forge, all at once.
func everything() []string {
	return []string{
		xff, "192.0.2.66", xfp, "https", xfh, "evil.example", port, "8443", path, "/evil", xri, "192.0.2.66",
		rfc, "for=192.0.2.66;proto=https;host=evil.example",
	}
}

// TestStrangersAreNotBelieved: without trust all headers but Host are as if they were not there.
func TestStrangersAreNotBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		from     string
		networks []netip.Prefix
		want     Origin
	}{
		"nobody_is_trusted":   {gateway, nil, Origin{Client: netip.MustParseAddr("10.0.0.1"), Scheme: "http", Host: "tickets.example", Port: 80}},
		"somebody_else_is":    {client + ":1", trusted, Origin{Client: netip.MustParseAddr(client), Scheme: "http", Host: "tickets.example", Port: 80}},
		"ipv6":                {"[2001:db8::1%eth0]:1", trusted, Origin{Client: netip.MustParseAddr("2001:db8::1"), Scheme: "http", Host: "tickets.example", Port: 80}},
		"no_address":          {"@", trusted, Origin{Scheme: "http", Host: "tickets.example", Port: 80}},
		"nothing":             {"", trusted, Origin{Scheme: "http", Host: "tickets.example", Port: 80}},
		"nobody_in_a_network": {"0.0.0.0:1", []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, Origin{Client: netip.IPv4Unspecified(), Scheme: "http", Host: "tickets.example", Port: 80}},
	} {
		t.Run(name, func(t *testing.T) {
			c.want.Via = c.want.Client
			if o := Read(request(c.from, everything()...), c.networks); !reflect.DeepEqual(o, c.want) {
				t.Errorf("%+v, want %+v", o, c.want)
			}
		})
	}
	r := request(client+":1", everything()...)
	r.TLS, r.Host = &tls.ConnectionState{}, "Tickets.example:8443"
	if o := Read(r, trusted); o.Scheme+"://"+o.Authority()+o.Prefix != "https://tickets.example:8443" {
		t.Errorf("%+v", o)
	}
	r.Host = "a b"
	if o := Read(r, trusted); o.Host != "" || o.Unread != nil {
		t.Errorf("%+v", o)
	}
}

// TestGatewaysInIPv6: a gateway in a trusted IPv6 network, and one in an IPv4 network on a socket of both.
func TestGatewaysInIPv6(t *testing.T) {
	for _, from := range []string{"[fd00::1]:1", "[fd00::1%eth0]:1", "[::ffff:10.0.0.1]:1"} {
		if o := Read(request(from, xff, client), trusted); o.Key() != client {
			t.Errorf("%s: %+v", from, o)
		}
	}
}

func TestAny(t *testing.T) {
	for _, name := range []string{
		"X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Forwarded", "Forwarded", "via", "X-Real-IP",
		"CF-Connecting-IP", "CF-Ray", "True-Client-IP", "X-Envoy-External-Address", "X-Azure-ClientIP", "X-Client-IP", "X-Original-Host",
		"X-Original-Forwarded-For", "X-Original-URL", "CDN-Loop", "Fastly-Client-IP", "Fly-Client-IP", "Tailscale-User-Login", "X-ProxyUser-IP",
		"Proxy-Connection", "X-Scheme", "Front-End-Https",
	} {
		r := request("127.0.0.1:1", name, "")
		if !Any(r) || Sign(r) != http.CanonicalHeaderKey(name) {
			t.Errorf("%s does not count", name)
		}
	}
	nginx := request("127.0.0.1:1", "Connection", "close")
	nginx.ProtoMinor = 0
	if !Any(nginx) {
		t.Error("nginx as it is does not count")
	}
	ordinary := request("127.0.0.1:1", "Accept", "*/*", "X-Request-Id", "1", "Origin", "null", "Traceparent", "00", "Connection", "close")
	ordinary.Header["Via"], ordinary.Header["X-Forwarded-For"] = nil, nil
	old := request("127.0.0.1:1", "Accept", "*/*", "Connection", "Keep-Alive") // ApacheBench
	old.ProtoMinor = 0
	if Any(ordinary) || Any(old) {
		t.Errorf("an ordinary request counts as handed on: %s %s", Sign(ordinary), Sign(old))
	}
}

func TestTrusts(t *testing.T) {
	for address, want := range map[string]bool{
		"10.1.2.3:80": true, "10.1.2.3": true, "[::ffff:10.1.2.3]:80": true, "[fd00::1%eth0]:1": true, "192.0.2.1:80": false, "": false, "pipe": false, "pipe:1": false,
	} {
		if got := Trusts(trusted, address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}

// FuzzRead: whatever the headers are, nothing but what gateways may say comes out, and what strangers say
// changes nothing.
func FuzzRead(f *testing.F) {
	f.Add(client, "", "https,http", "events.example:8443", "443", "/a,/b")
	f.Add("", `for="[2001:db8::1]:4711";proto=HTTPS;host="a\"b", for=_x;by=unknown`, "HTTP", "[::1]:80", "0", "//x")
	f.Add("[2001:db8::1]:1, unknown,10.0.0.9", `for="`, "", "a:b:c", "99999999999999999999", "/..")
	f.Fuzz(func(t *testing.T, addresses, standard, proto, host, number, prefix string) {
		headers := []string{xff, addresses, rfc, standard, xfp, proto, xfh, host, port, number, path, prefix}
		o := Read(request(gateway, headers...), trusted)
		if o.Scheme != "http" && o.Scheme != "https" || o.Port == 0 || strings.ContainsAny(o.Host+o.Prefix, "\"'<>\\ ?#%@\r\n\x00") || strings.Contains(o.Prefix, "//") ||
			strings.HasSuffix(o.Prefix, "/") || strings.Contains(o.Prefix+"/", "/../") || o.Prefix != "" && o.Prefix[0] != '/' || o.Host == "" || !o.Via.IsValid() || o.Client.Zone() != "" || o.Client.Is4In6() {
			t.Fatalf("%+v", o)
		}
		for _, u := range o.Unread {
			if len(u.Value) > 200 {
				t.Fatalf("%d bytes", len(u.Value))
			}
		}
		if !o.Client.IsValid() && len(o.Unread) == 0 {
			t.Fatal("the client is not known, and nothing was not understood")
		}
		if !utf8.ValidString(o.Host + o.Prefix) {
			t.Fatalf("%+v", o)
		}
		stranger := Read(request(client+":1", headers...), trusted)
		if want := Read(request(client+":1"), trusted); !reflect.DeepEqual(stranger, want) {
			t.Fatalf("a stranger is %+v", stranger)
		}
	})
}

// FuzzForgery: a client sends what it likes, a gateway adds the client's address in one of the ways in which
// gateways do: then that address counts, or none.
func FuzzForgery(f *testing.F) {
	f.Add("192.0.2.66", "")
	f.Add("192.0.2.66, 10.0.0.9", `for=192.0.2.66;x="`)
	f.Add(`"`, `for=192.0.2.66, for="\`)
	f.Add("", `for="`)
	f.Add("", `x=", for="[2001:db8::1]"`)
	f.Fuzz(func(t *testing.T, addresses, standard string) {
		headers := func(xffs, rfcs []string) *http.Request {
			r := request(gateway)
			r.Header[xff], r.Header[rfc] = xffs, rfcs
			r.Header["X-Real-Ip"] = []string{addresses}
			return r
		}
		for name, r := range map[string]*http.Request{
			"nginx":           headers([]string{addresses + ", " + client}, []string{standard}),
			"haproxy":         headers([]string{addresses, client}, []string{standard}),
			"azure":           headers([]string{addresses + ", " + client + ":51234"}, []string{standard}),
			"google":          headers([]string{addresses + "," + client + ",203.0.113.5"}, []string{standard}),
			"overwritten":     headers([]string{client}, []string{standard}),
			"rfc_line":        headers([]string{addresses}, []string{standard, "proto=http;for=" + client}),
			"rfc_appended":    headers([]string{addresses}, []string{standard + ", for=" + client + ";proto=http"}),
			"rfc_quoted":      headers([]string{addresses}, []string{standard + `, for="` + client + `:51234"`}),
			"rfc_two":         headers([]string{addresses}, []string{standard + `, for="` + client + `";proto=https, for=203.0.113.5`}),
			"rfc_overwritten": headers([]string{addresses}, []string{"for=" + client}),
			"both":            headers([]string{addresses + ", " + client}, []string{standard + ", for=" + client}),
		} {
			o := Read(r, trusted)
			if o.Client.IsValid() && o.Client.String() != client {
				t.Fatalf("%s: X-Forwarded-For %q, Forwarded %q: the client counts as %s", name, r.Header[xff], r.Header[rfc], o.Client)
			}
			if !o.Client.IsValid() && o.Key() == o.Via.String() {
				t.Fatalf("%s: counted as the gateway", name)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for name, r := range map[string]*http.Request{
		"direct":    request(client+":1", everything()...),
		"x":         request(gateway, xff, "192.0.2.66, "+client, xfp, "https", xfh, "tickets.example"),
		"forwarded": request(gateway, rfc, `for="[2001:db8::1]:1";proto=https;host=tickets.example`),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Read(r, trusted)
			}
		})
	}
}

// TestDirect: it says of the client what Read says that believes nobody.
func TestDirect(t *testing.T) {
	for _, remote := range []string{"198.51.100.1:4711", "[2001:db8::1%eth0]:1", "[::ffff:198.51.100.1]:2", "0.0.0.0:3", "@", "", "a name"} {
		r := &http.Request{Header: make(http.Header)}
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "203.0.113.7")
		got, want := Direct(r), Read(r, nil)
		if got.Client != want.Client || got.Via != want.Via || got.Key() != want.Key() {
			t.Errorf("%q: %+v, want %+v", remote, got, want)
		}
	}
}
