package main

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/internal/testenv"
)

// TestWrongInputs: each command that is given something wrong ends with one sentence that
// names the flag and says what to do, gives no password away, and tells by its error whether
// the command line is what is wrong.
func TestWrongInputs(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) string {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("file", "x")
	foreign := filepath.Dir(write("foreign/eventio.db", strings.Repeat("no database, but long enough for one. ", 10)))
	missing, fresh, busy := filepath.Join(dir, "missing"), filepath.Join(dir, "fresh"), filepath.Join(dir, "busy")
	folder := filepath.Dir(filepath.Dir(write("folder/eventio.db/x", "")))
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, taken)
	stored := sqliteFixture(t)
	closeAtEnd(t, stored.open(t))
	source, newer := newSource(t), mongoFixture(t)
	source.insert(t, "users", soundUser("ada@example.org", "correct horse battery"))
	closeAtEnd(t, newer.open(t))
	const (
		nowhere  = "mongodb://127.0.0.1:1/x"
		secret   = "mongodb://ada:hunter2@pass/w@127.0.0.1:1/x"
		natsFlag = "--nats-listen-auth=" + natsAuth
		aUser    = "6b056f1db8a8b20890367b25"
	)
	type row struct {
		args  []string
		says  []string
		usage bool
	}
	rows := map[string]row{
		"serve/no port":              {[]string{"--addr", "localhost", "--data", fresh}, []string{"--addr", "127.0.0.1:3000"}, true},
		"serve/port too high":        {[]string{"--addr", "127.0.0.1:99999", "--data", fresh}, []string{"--addr", "65535"}, true},
		"serve/port in use":          {[]string{"--addr", taken.Addr().String(), "--data", fresh}, []string{"in use", "--addr"}, false},
		"serve/address elsewhere":    {[]string{"--addr", "192.0.2.1:3000", "--data", fresh}, []string{"no such address", "--addr"}, false},
		"serve/a file":               {[]string{"--addr", "127.0.0.1:0", "--data", file}, []string{file, "it is a file", "--data"}, false},
		"serve/no folder":            {[]string{"--addr", "127.0.0.1:0", "--data="}, []string{"--data must name a folder"}, true},
		"serve/a folder for a file":  {[]string{"--addr", "127.0.0.1:0", "--data", folder}, []string{folder, "eventio.db", "--data"}, false},
		"serve/a foreign file":       {[]string{"--addr", "127.0.0.1:0", "--data", foreign}, []string{foreign, "not a database of Event.io", "--data"}, false},
		"serve/no NATS address":      {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--nats-listen", "4222", natsFlag}, []string{"--nats-listen"}, true},
		"serve/NATS port too high":   {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--nats-listen", "127.0.0.1:99999", natsFlag}, []string{"--nats-listen"}, true},
		"serve/NATS port in use":     {[]string{"--addr", "127.0.0.1:0", "--data", busy, "--nats-listen", taken.Addr().String(), natsFlag}, []string{"--nats-listen", "in use"}, false},
		"serve/NATS elsewhere":       {[]string{"--addr", "127.0.0.1:0", "--data", busy + "2", "--nats-listen", "192.0.2.1:4222", natsFlag}, []string{"--nats-listen", "no such address"}, false},
		"serve/NATS without auth":    {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--nats-listen", "127.0.0.1:0"}, []string{"--nats-listen", "EVENTIO_NATS_LISTEN_AUTH", "USER:PASSWORD"}, true},
		"serve/NATS without a user":  {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--nats-listen", "127.0.0.1:0", "--nats-listen-auth", ":hunter2hunter2hunter2"}, []string{"--nats-listen-auth", "16"}, true},
		"serve/NATS, a weak one":     {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--nats-listen", "127.0.0.1:0", "--nats-listen-auth", "ada:hunter2"}, []string{"--nats-listen-auth", "16"}, true},
		"serve/keys":                 {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--auth-keys", "hunter2"}, []string{"--auth-keys", "kid:secret"}, true},
		"serve/admission keys":       {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--admission-keys", "hunter2"}, []string{"--admission-keys", "kid:secret"}, true},
		"event/nothing":              {slices.Concat([]string{"event", "delete"}, stored.flags), []string{"ids", "--of"}, true},
		"event/both":                 {slices.Concat([]string{"event", "delete", aUser, "--of", aUser}, stored.flags), []string{"ids", "--of"}, true},
		"event/no id":                {slices.Concat([]string{"event", "delete", "opening"}, stored.flags), []string{"24 hexadecimal digits"}, true},
		"event/no such event":        {slices.Concat([]string{"event", "delete", "6b056f1db8a8b208903670ff"}, stored.flags), []string{"no event", "6b056f1db8a8b208903670ff"}, false},
		"serve/lifetime":             {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--token-lifetime", "25h"}, []string{"--token-lifetime", "24h"}, true},
		"serve/proxies":              {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--trusted-proxies", "everybody"}, []string{"--trusted-proxies", "10.0.0.0/8"}, true},
		"serve/origins":              {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--cors-origins", "*"}, []string{"--cors-origins", "https://app.example.org"}, true},
		"serve/sitemap":              {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--sitemap", "events.example.org"}, []string{"--sitemap", "https://events.example.org"}, true},
		"serve/hosts":                {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--hosts", "http://x"}, []string{"--hosts", "tickets.example.org"}, true},
		"serve/CORS headers":         {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--cors-headers", "a b"}, []string{"--cors-headers", "a b"}, true},
		"serve/a limit":              {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--rate-limit-logins", "60"}, []string{"--rate-limit-logins", "60/m"}, true},
		"serve/a limit of none":      {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--rate-limit-requests", "0/m"}, []string{"--rate-limit-requests", "off"}, true},
		"serve/a factor":             {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--rate-limit-networks-factor", "0"}, []string{"--rate-limit-networks-factor", "from 1"}, true},
		"serve/no idle time":         {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--idle-timeout", "0s"}, []string{"--idle-timeout", "1s to 1h"}, true},
		"serve/too long idle":        {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--idle-timeout", "2h"}, []string{"--idle-timeout", "1s to 1h"}, true},
		"serve/prefix":               {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--nats-prefix", "a b"}, []string{"--nats-prefix", "letters"}, true},
		"serve/no time":              {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--request-timeout", "0s"}, []string{"--request-timeout", "above 0"}, true},
		"serve/no time for anything": {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--request-timeout", "1ns"}, []string{"--request-timeout", "50ms"}, true},
		"serve/less than no time":    {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--request-timeout=-1s"}, []string{"--request-timeout", "not a duration"}, true},
		"serve/too much time":        {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--request-timeout", "1000h"}, []string{"--request-timeout", "15s"}, true},
		"serve/more than any time":   {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--request-timeout", "99999999h"}, []string{"--request-timeout", "not a duration"}, true},
		"serve/a time that is none":  {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--request-timeout", "5"}, []string{"--request-timeout", "not a duration", "--help"}, true},
		"serve/changes too short":    {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--keep-changes", "23h"}, []string{"--keep-changes", "24h"}, true},
		"serve/quota of events":      {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--events-per-day=-2"}, []string{"--events-per-day", "-1"}, true},
		"serve/quota of bytes":       {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--event-bytes-per-day=-2"}, []string{"--event-bytes-per-day", "-1"}, true},
		"serve/quota of sign-ups":    {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--sign-ups-per-day=-2"}, []string{"--sign-ups-per-day", "-1"}, true},
		"serve/few connections":      {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--max-connections", "15"}, []string{"--max-connections", "16"}, true},
		"serve/many connections":     {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--max-connections", "999999999"}, []string{"--max-connections", "ulimit"}, true},
		"serve/kept too short":       {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--keep-cancelled", "23h"}, []string{"--keep-cancelled", "24h"}, true},
		"serve/keys too short":       {[]string{"--addr", "127.0.0.1:0", "--data", fresh, "--keep-keys", "1m"}, []string{"--keep-keys", "1h"}, true},
		"serve/no such mode":         {[]string{"--data", fresh, "--auth", "none"}, []string{"--auth", "trusted"}, true},
		"serve/no such flag":         {[]string{"--dato", fresh}, []string{"--dato", "--data"}, true},
		"serve/no such command":      {[]string{"serf"}, []string{"serf", "eventio --help"}, true},
		"token/nothing there":        {[]string{"token", "--user", aUser, "--data", missing}, []string{missing, "--data", "--mongodb-uri", "--auth-keys"}, false},
		"token/nobody":               {slices.Concat([]string{"token", "--user", aUser}, stored.flags), []string{"user"}, false},
		"token/nobody is named":      {slices.Concat([]string{"token"}, stored.flags), []string{"--user or --count must be given", "eventio token --help"}, true},
		"token/no id":                {slices.Concat([]string{"token", "--user", "ada"}, stored.flags), []string{"--user", "24 hexadecimal digits"}, true},
		"token/one and many":         {slices.Concat([]string{"token", "--user", aUser, "--count", "2"}, stored.flags), []string{"--user", "--count", "together"}, true},
		"token/none":                 {slices.Concat([]string{"token", "--count", "0"}, stored.flags), []string{"--count", "above 0"}, true},
		"token/too many":             {slices.Concat([]string{"token", "--count", "99999999999"}, stored.flags), []string{"--count", "10000000"}, true},
		"token/no number":            {slices.Concat([]string{"token", "--count", "many"}, stored.flags), []string{"--count", "many"}, true},
		"token/lifetime":             {slices.Concat([]string{"token", "--user", aUser, "--lifetime", "25h"}, stored.flags), []string{"--lifetime", "24h"}, true},
		"token/keys":                 {slices.Concat([]string{"token", "--user", aUser, "--auth-keys", "hunter2"}, stored.flags), []string{"--auth-keys", "kid:secret"}, true},
		"simulate/no URL":            {[]string{"simulate", "--url", "localhost"}, []string{"--url", "http://127.0.0.1:3000"}, true},
		"simulate/no scheme":         {[]string{"simulate", "--url", "localhost:3000"}, []string{"--url", "http://127.0.0.1:3000"}, true},
		"simulate/an IP, no scheme":  {[]string{"simulate", "--url", "127.0.0.1:3000"}, []string{"--url", "http://127.0.0.1:3000"}, true},
		"simulate/another scheme":    {[]string{"simulate", "--url", "ftp://127.0.0.1:3000"}, []string{"--url", "http://127.0.0.1:3000"}, true},
		"simulate/a port":            {[]string{"simulate", "--url", "http://127.0.0.1:99999"}, []string{"--url", "65535"}, true},
		"simulate/no host":           {[]string{"simulate", "--url", "http://:3000"}, []string{"--url", "http://127.0.0.1:3000"}, true},
		"simulate/a query":           {[]string{"simulate", "--url", "http://127.0.0.1:1/?x=1"}, []string{"--url", "query"}, true},
		"simulate/a password":        {[]string{"simulate", "--url", "http://ada:hunter2@127.0.0.1:1"}, []string{"--url", "without a user"}, true},
		"simulate/a broken password": {[]string{"simulate", "--url", "http://ada:hunter2%zz@127.0.0.1:1"}, []string{"--url", "http://127.0.0.1:3000"}, true},
		"simulate/too many":          {[]string{"simulate", "--attempts", "9999999999"}, []string{"--attempts", "1000000"}, true},
		"simulate/too many tries":    {[]string{"simulate", "--attempts", "1000", "--duplicates", "9999999999"}, []string{"--duplicates", "1000"}, true},
		"simulate/too many places":   {[]string{"simulate", "--capacity", "9999999999"}, []string{"--capacity", "1000000000"}, true},
		"simulate/no database":       {[]string{"simulate", "--url", other.URL, "--data", missing}, []string{missing, "--data"}, false},
		"simulate/two databases":     {[]string{"simulate", "--url", other.URL, "--data", dir, "--mongodb-uri", nowhere}, []string{"--data", "--mongodb-uri"}, true},
		"simulate/nobody there":      {[]string{"simulate", "--url", "http://127.0.0.1:1"}, []string{"http://127.0.0.1:1", "connection refused", "--url"}, false},
		"simulate/no such host":      {[]string{"simulate", "--url", "http://nowhere.invalid"}, []string{"nowhere.invalid", "--url"}, false},
		"simulate/no TLS":            {[]string{"simulate", "--url", strings.Replace(other.URL, "http", "https", 1)}, []string{other.Listener.Addr().String(), "--url"}, false},
		"simulate/something else":    {[]string{"simulate", "--url", other.URL}, []string{other.URL, "404", "does Event.io run there"}, false},
		"simulate/nobody":            {[]string{"simulate", "--attempts", "0"}, []string{"--attempts", "above 0"}, true},
		"simulate/no places":         {[]string{"simulate", "--capacity", "0"}, []string{"--capacity", "above 0"}, true},
		"simulate/no tries":          {[]string{"simulate", "--duplicates", "0"}, []string{"--duplicates", "above 0"}, true},
		"simulate/less than none":    {[]string{"simulate", "--cancels=-1"}, []string{"--cancels", "at least 0"}, true},
		"simulate/keys":              {[]string{"simulate", "--url", "http://127.0.0.1:1", "--auth-keys", "hunter2"}, []string{"--auth-keys", "kid:secret"}, true},
		"import/nothing":             {[]string{"import", "--data", fresh}, []string{"--from or EVENTIO_IMPORT_FROM", "must be given", "eventio import --help"}, true},
		"import/no URI":              {[]string{"import", "--from", "localhost", "--data", fresh}, []string{"--from", "mongodb://"}, true},
		"import/a password":          {[]string{"import", "--from", secret, "--data", fresh}, []string{"--from", "percent-encoded"}, true},
		"import/no server":           {[]string{"import", "--from", nowhere, "--data", fresh, "--start-timeout", "100ms"}, []string{"127.0.0.1:1", "connection refused", "--from"}, false},
		"import/into no URI":         {[]string{"import", "--from", nowhere, "--mongodb-uri", "localhost"}, []string{"--mongodb-uri", "mongodb://"}, true},
		"import/a mistyped name":     {[]string{"import", "--from", strings.Replace(source.uri, "?", "x?", 1), "--data", fresh}, []string{source.db.Name() + "x", "neither users nor events", "on that server these have", "--from"}, false},
		"import/not the original":    {[]string{"import", "--from", newer.flags[1], "--data", fresh}, []string{"--from", "one of this Event.io"}, false},
		"import/no time":             {[]string{"import", "--from", nowhere, "--data", fresh, "--start-timeout", "1000h"}, []string{"--start-timeout", "24h"}, true},
		"import/into no server":      {[]string{"import", "--from", source.uri, "--mongodb-uri", nowhere, "--start-timeout", "1s"}, []string{"127.0.0.1:1", "connection refused", "--mongodb-uri"}, false},
		"import/into a file":         {[]string{"import", "--from", source.uri, "--data", file}, []string{file, "it is a file", "--data"}, false},
		"import/into itself":         {[]string{"import", "--from", nowhere, "--mongodb-uri", nowhere}, []string{"--from", "--mongodb-uri", "same database"}, true},
		"import/both":                {[]string{"import", "--from", nowhere, "--data", fresh, "--mongodb-uri", nowhere}, []string{"--data", "--mongodb-uri", "leaving one"}, true},
		"repair/no workers' NATS":    {[]string{"verify", "--repair", "--mongodb-uri", nowhere}, []string{"--nats-url"}, true},
		"repair/NATS not reachable":  {slices.Concat([]string{"verify", "--repair", "--nats-url", "nats://ada:hunter2@127.0.0.1:1", "--start-timeout", "300ms"}, stored.flags), []string{"127.0.0.1:1", "--nats-url"}, false},
		"repair/NATS password":       {slices.Concat([]string{"verify", "--repair", "--nats-url", "nats://ada:hunter2@pass/w@h"}, stored.flags), []string{"--nats-url", "percent-encoded"}, true},
		"repair/NATS port":           {slices.Concat([]string{"verify", "--repair", "--nats-url", "nats://127.0.0.1:99999"}, stored.flags), []string{"--nats-url", "65535"}, true},
		"user/no action":             {slices.Concat([]string{"user"}, stored.flags), []string{"list", "show", "eventio user --help"}, true},
		"user/no such action":        {slices.Concat([]string{"user", "remove", aUser}, stored.flags), []string{"remove", "eventio user --help"}, true},
		"user/nobody is named":       {slices.Concat([]string{"user", "lock"}, stored.flags), []string{"<who>", "--help"}, true},
		"user/no id":                 {slices.Concat([]string{"user", "lock", "ada"}, stored.flags), []string{"ada", "24 hexadecimal digits", "e-mail address"}, true},
		"user/nobody":                {slices.Concat([]string{"user", "unlock", strings.Repeat("0", 24)}, stored.flags), []string{"24 hexadecimal digits"}, true},
		"user/no change":             {slices.Concat([]string{"user", "edit", aUser}, stored.flags), []string{"--name", "--email"}, true},
		"user/no such id":            {slices.Concat([]string{"user", "revoke", aUser}, stored.flags), []string{"nobody has this id", "eventio user list"}, false},
		"user/no such address":       {slices.Concat([]string{"user", "delete", "--yes", "ada@example.org"}, stored.flags), []string{"nobody has this e-mail address", "eventio user list"}, false},
		"user/a password":            {slices.Concat([]string{"user", "set-password", aUser, "hunter2"}, stored.flags), []string{"unexpected argument", "--help"}, true},
		"migrate/no version":         {slices.Concat([]string{"migrate", "--to", "newest"}, stored.flags), []string{"--to", "newest", "eventio migrate --help"}, true},
		"migrate/an unknown version": {slices.Concat([]string{"migrate", "--to", "99"}, stored.flags), []string{"99", "knows versions up to"}, false},
		"migrate/status and to":      {slices.Concat([]string{"migrate", "--to", "1", "--status"}, stored.flags), []string{"--status", "--to", "together"}, true},
	}
	for name, command := range map[string][]string{
		"verify": {"verify"}, "migrate": {"migrate"}, "status": {"migrate", "--status"}, "token": {"token", "--user", aUser},
		"people": {"user", "list"}, "show": {"user", "show", aUser}, "delete": {"user", "delete", "--yes", "ada@example.org"},
	} {
		add := func(fault string, usage bool, says []string, more ...string) {
			rows[name+"/"+fault] = row{slices.Concat(command, more), says, usage}
		}
		if name != "token" { // which can do without a database
			add("no folder", false, []string{missing, "does not exist", "--data"}, "--data", missing)
			add("no database", false, []string{dir, "has no eventio.db", "--data"}, "--data", dir)
			add("a file", false, []string{file, "it is a file", "--data"}, "--data", file)
			add("no server", false, []string{"127.0.0.1:1", "connection refused", "--mongodb-uri"}, "--mongodb-uri", nowhere, "--start-timeout", "100ms")
			add("no such host", false, []string{"nowhere.invalid", "--mongodb-uri"}, "--mongodb-uri", "mongodb://nowhere.invalid/x", "--start-timeout", "100ms")
			add("a wrong replica set", false, []string{"replicaSet", "--mongodb-uri"}, "--mongodb-uri", strings.Replace(testenv.MongoDB(t), "rs0", "rs9", 1), "--start-timeout", "1s")
			add("no TLS", false, []string{"TLS", "--mongodb-uri"}, "--mongodb-uri", testenv.MongoDB(t)+"&tls=true", "--start-timeout", "1s")
			add("too much time", true, []string{"--start-timeout", "24h"}, "--data", missing, "--start-timeout", "1000h")
			add("no time", true, []string{"--start-timeout", "above 0"}, "--data", missing, "--start-timeout", "0s")
		}
		add("a folder for a file", false, []string{folder, "eventio.db", "--data"}, "--data", folder)
		add("a foreign file", false, []string{foreign, "not a database of Event.io", "--data"}, "--data", foreign)
		add("no URI", true, []string{"--mongodb-uri", "mongodb://"}, "--mongodb-uri", "localhost")
		add("no host", true, []string{"--mongodb-uri", "mongodb://"}, "--mongodb-uri", "mongodb://")
		add("a port", true, []string{"--mongodb-uri", "65535"}, "--mongodb-uri", "mongodb://127.0.0.1:99999/x")
		add("a password", true, []string{"--mongodb-uri", "percent-encoded"}, "--mongodb-uri", secret)
		add("a file of certificates", false, []string{"--mongodb-uri", missing, "does not exist"}, "--mongodb-uri", nowhere+"?tls=true&tlsCAFile="+missing)
		add("two databases", true, []string{"--data", "--mongodb-uri"}, "--data", dir, "--mongodb-uri", nowhere)
	}
	for name, c := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tool(t, c.args...)
			testenv.WantSentence(t, err, c.says...)
			if errors.Is(err, process.ErrUsage) != c.usage {
				t.Errorf("that the command line is wrong is %v, want %v: %v", !c.usage, c.usage, err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

// TestNamesOfVariables: what a variable has set is named by the variable.
func TestNamesOfVariables(t *testing.T) {
	t.Setenv("MONGODB_URI", "localhost")
	_, err := tool(t, "verify")
	testenv.WantSentence(t, err, "MONGODB_URI is not a connection string")
	_, err = tool(t, "verify", "--data", t.TempDir())
	testenv.WantSentence(t, err, "both --data and MONGODB_URI are given")
	t.Setenv("EVENTIO_ADDR", "nowhere")
	_, err = tool(t, "serve")
	testenv.WantSentence(t, err, `EVENTIO_ADDR: "nowhere" is not an address`)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	_, err = tool(t, "simulate")
	testenv.WantSentence(t, err, "set TMPDIR", "it does not exist")
	t.Setenv("EVENTIO_AUTH_KEYS", "hunter2")
	_, err = tool(t, "simulate", "--url", "http://127.0.0.1:1")
	testenv.WantSentence(t, err, "EVENTIO_AUTH_KEYS: key 1")
	// What a flag has set is named by the flag, also when there is a variable.
	_, err = tool(t, "simulate", "--url", "http://127.0.0.1:1", "--auth-keys", "hunter3")
	testenv.WantSentence(t, err, "--auth-keys: key 1")
	_, err = tool(t, "--addr", "elsewhere")
	testenv.WantSentence(t, err, `--addr: "elsewhere" is not an address`)
}

// TestWrongLogins: a MongoDB that refuses a password, or forbids something, is told of by every
// tool in one sentence that names the flag and has no password.
func TestWrongLogins(t *testing.T) {
	m := testenv.StartMongoWithLogin(t)
	if err := m.Command(bson.D{
		{Key: "createUser", Value: "reader"}, {Key: "pwd", Value: "hunter2"},
		{Key: "roles", Value: bson.A{bson.D{{Key: "role", Value: "read"}, {Key: "db", Value: "eventio"}}}},
	}); err != nil {
		t.Fatal(err)
	}
	source{db: mongoDatabase(t, m.URIOf("root", "root"))}.insert(t, "users", soundUser("ada@example.org", "correct horse battery"))
	empty, wrong, reader := t.TempDir(), m.URIOf("reader", "hunter3"), m.URIOf("reader", "hunter2")
	const refused, forbidden = "refuses the user or the password of ", "forbids the user of "
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"verify/password":      {[]string{"verify", "--mongodb-uri", wrong}, refused + "--mongodb-uri"},
		"migrate/password":     {[]string{"migrate", "--mongodb-uri", wrong}, refused + "--mongodb-uri"},
		"status/password":      {[]string{"migrate", "--status", "--mongodb-uri", wrong}, refused + "--mongodb-uri"},
		"token/password":       {[]string{"token", "--count", "1", "--mongodb-uri", wrong}, refused + "--mongodb-uri"},
		"import/password":      {[]string{"import", "--from", wrong, "--data", empty}, refused + "--from"},
		"import/into password": {[]string{"import", "--from", reader, "--mongodb-uri", strings.Replace(wrong, "/eventio?", "/other?", 1)}, refused + "--mongodb-uri"},
		"migrate/right":        {[]string{"migrate", "--mongodb-uri", reader}, forbidden + "--mongodb-uri"},
		"import/right":         {[]string{"import", "--from", strings.Replace(reader, "/eventio?", "/infosys?", 1), "--data", empty}, forbidden + "--from"},
		"import/into right":    {[]string{"import", "--from", reader, "--mongodb-uri", strings.Replace(reader, "/eventio?", "/other?", 1)}, forbidden + "--mongodb-uri"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tool(t, append(c.args, "--log-level", "error")...)
			testenv.WantSentence(t, err, "MongoDB", c.says)
			if err != nil && strings.Contains(err.Error(), "hunter") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}
