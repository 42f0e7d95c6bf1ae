package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"

	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/description"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"
	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/eventio/eventio/internal/process"
	"github.com/eventio/eventio/pkg/store"
)

// Explain turns the error that a command ends with into one sentence that says what to do.
// Texts of drivers and of the system go to the log: at debug level when the sentence says it
// all, at error level when the fault is not known. The result matches whatever err matches.
// Texts of this program are kept.
func Explain(err error, log zerolog.Logger) error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && strings.Contains(err.Error(), "\n") {
		var sentences []string
		for _, part := range joined.Unwrap() {
			sentences = append(sentences, Explain(part, log).Error())
		}
		return &process.Failure{Sentence: strings.Join(sentences, "; "), Cause: err}
	}
	if errors.As(err, new(*process.Failure)) {
		return err
	}
	sentence, known := explainMongoDB(err, "--mongodb-uri")
	if sentence == "" {
		sentence, known = explainSQLite(err, "the database file")
	}
	if sentence == "" {
		sentence, known = explainText(err)
	}
	if sentence == err.Error() {
		return err
	}
	if known {
		log.Debug().Err(err).Msg("the cause of the error that follows")
	} else {
		log.Error().Err(err).Msg("the cause of the error that follows")
	}
	return &process.Failure{Sentence: sentence, Cause: err}
}

// ExplainMongoDB is the function Explain for an error about the MongoDB server that a flag
// names, such as --from. It leaves what is not known to that function.
func ExplainMongoDB(err error, flag string) error {
	if err == nil || errors.As(err, new(*process.Failure)) {
		return err
	}
	sentence, known := explainMongoDB(err, flag)
	if !known {
		return err
	}
	return &process.Failure{Sentence: sentence, Cause: err}
}

// Codes of MongoDB, from its error_codes.yml.
const (
	mongoUnauthorized         = 13
	mongoAuthenticationFailed = 18
)

// noLogin is part of what MongoDB says to a connection without a login. Under the same code
// it says something else to a user without a right.
const noLogin = "requires authentication"

// explainMongoDB returns a sentence about an error of the MongoDB driver, and whether the
// fault is known; "" for other errors. flag has the connection string.
func explainMongoDB(err error, flag string) (sentence string, known bool) {
	var login *auth.Error
	var server mongo.ServerError
	var selection topology.ServerSelectionError
	var connection topology.ConnectionError
	var driverError driver.Error
	isServer := errors.As(err, &server)
	text := err.Error()
	if errors.Is(err, context.Canceled) && (isServer || errors.As(err, &selection) || errors.As(err, &connection) || errors.As(err, &driverError)) {
		// Whoever stops a command is not told that a server is to blame.
		return "interrupted while MongoDB was asked", true
	}
	// Some errors of the driver and of mongostore keep of the server's error only its text.
	refused := isServer && server.HasErrorCode(mongoAuthenticationFailed) || strings.Contains(text, "(AuthenticationFailed)")
	forbidden := isServer && server.HasErrorCode(mongoUnauthorized) || strings.Contains(text, "(Unauthorized)")
	switch {
	case errors.As(err, &login), refused, forbidden && strings.Contains(text, noLogin):
		return "MongoDB refuses the user or the password of " + flag + ": correct them, and authSource when the user is kept in another database", true
	case forbidden:
		return "MongoDB forbids the user of " + flag + " what this command does: give the user the role readWrite on the database, or read where a command only reads", true
	case errors.As(err, &selection):
		return explainSelection(selection.Desc, flag), true
	case errors.As(err, &connection), mongo.IsNetworkError(err):
		return "the connection to MongoDB was cut: run the command again when MongoDB is well", true
	case mongo.IsTimeout(err) && isServer:
		return "MongoDB takes too long to answer: run the command again when MongoDB is well", true
	case isServer, errors.As(err, &driverError), errors.As(err, new(topology.WaitQueueTimeoutError)):
		return "MongoDB failed in a way that is not known here: the log has its words", false
	}
	return "", false
}

// explainSelection says why no server of a MongoDB deployment, which flag names, could be used.
func explainSelection(deployment description.Topology, flag string) string {
	var addresses, reasons []string
	reached := false
	for _, s := range deployment.Servers {
		addresses = append(addresses, s.Addr.String())
		reached = reached || s.Kind != description.Unknown
		if reason := process.Reason(s.LastError); reason != "" {
			reasons = append(reasons, reason)
		}
	}
	where := strings.Join(addresses, ", ")
	for _, s := range deployment.Servers {
		if s.Kind == description.ServerKindRSGhost {
			return "the MongoDB at " + s.Addr.String() + " was started with --replSet and is no replica set yet: run rs.initiate() there once, for instance mongosh --eval 'rs.initiate()'"
		}
	}
	if reached || where == "" {
		return strings.TrimSuffix("the MongoDB replica set has no primary, or another name than replicaSet says, at "+where, ", at ") +
			": wait for an election, run rs.initiate() once on a new one, or correct replicaSet in " + flag
	}
	why := "no answer in time"
	if len(reasons) > 0 {
		why = reasons[0]
	}
	return fmt.Sprintf("MongoDB cannot be reached at %s (%s): start it, or correct its address or its TLS options in %s", where, why, flag)
}

// inUse is what is said of a file that could not be locked in time.
const inUse = " is in use by another process for too long: stop that, or try again later"

// explainSQLite returns a sentence about an error of SQLite on the file called name, and
// whether the fault is known; "" for other errors.
func explainSQLite(err error, name string) (sentence string, known bool) {
	if errors.Is(err, store.ErrStorageFull) {
		return name + " cannot grow: make room on its disk, or raise the limit of a file's size, and start again", true
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return "", false
	}
	switch se.Code() & 0xff { // without what kind of it
	case sqlite3.SQLITE_NOTADB:
		return name + " is not a database of Event.io: choose another folder with --data, or restore a backup", true
	case sqlite3.SQLITE_CORRUPT:
		return name + " is damaged: restore a backup", true
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH:
		return name + " cannot be opened for this user: check who may read and write its folder and its files", true
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return name + inUse, true
	case sqlite3.SQLITE_INTERRUPT:
		return "the work on " + name + " was interrupted: run the command again", true
	}
	return name + " failed in a way that is not known here: the log has the words of SQLite", false
}

// explainText returns the text of an error in words for the operator, and whether nothing was
// cut off: the end of a text is, when it is from NATS or of a kind that is not known.
func explainText(err error) (sentence string, known bool) {
	text := err.Error()
	own, known := text, true
	var file *fs.PathError
	var call *os.SyscallError
	var network *net.OpError
	var request *url.Error
	var number syscall.Errno
	var document *bson.DecodeError
	replace := func(raw error, words string) {
		if reason := process.Reason(raw); reason != "" {
			own = strings.Replace(text, raw.Error(), words+reason, 1)
			return
		}
		own, _, _ = strings.Cut(text, raw.Error())
		known = false
	}
	switch {
	case errors.As(err, &request):
		replace(request, request.URL+": ")
	case errors.As(err, &file):
		replace(file, file.Path+": ")
	case errors.As(err, &network):
		replace(network, "")
	case errors.As(err, &call):
		replace(call, "")
	case errors.As(err, &number):
		replace(number, "")
	case errors.As(err, &document):
		replace(document, "")
	}
	for _, raw := range []string{ // what begins the words of NATS, and of a database that a store has classified
		"nats: ", store.ErrUnavailable.Error() + ": ", store.ErrNothingStored.Error() + ": ",
	} {
		before, _, cut := strings.Cut(own, raw)
		switch {
		case !cut:
		case errors.Is(err, context.Canceled):
			own = before + context.Canceled.Error()
		case errors.Is(err, context.DeadlineExceeded):
			own = before + context.DeadlineExceeded.Error()
		default:
			own, known = before, false
		}
	}
	own = strings.NewReplacer(
		context.DeadlineExceeded.Error(), "no answer in time", context.Canceled.Error(), "interrupted", "\n", "; ",
	).Replace(own)
	if !known {
		own = strings.TrimSuffix(own, ": ") + ": the log has the cause"
	}
	return own, known
}

// explainFile is Explain for an error about the SQLite file at path, which it names.
func explainFile(err error, path string) error {
	if err == nil || errors.As(err, new(*process.Failure)) || errors.Is(err, store.ErrSchema) {
		return err
	}
	sentence, known := explainSQLite(err, path)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		sentence = path + inUse
	case !known:
		return err
	}
	return &process.Failure{Sentence: sentence, Cause: err}
}
