package main

import (
	"errors"
	"path/filepath"
)

// database is the part of a command line that says which store is meant.
type database struct {
	Data       string `env:"EVENTIO_DATA" type:"path" placeholder:"FOLDER" help:"Folder of the embedded store. Default ./data, when there is no --mongodb-uri."`
	MongoDBURI string `name:"mongodb-uri" env:"MONGODB_URI" placeholder:"URI" help:"MongoDB replica set of the production processes, instead of --data: mongodb://host:27017/eventio?replicaSet=rs0."`
}

// resolve fills in the default. Exactly one of the two is then set.
func (d database) resolve() (database, error) {
	switch {
	case d.Data != "" && d.MongoDBURI != "":
		return d, errors.New("both --data and --mongodb-uri (or their variables EVENTIO_DATA and MONGODB_URI) are given: say which one is meant")
	case d.Data == "" && d.MongoDBURI == "":
		d.Data = "data"
	}
	return d, nil
}

// file is the SQLite file in the data folder.
func (d database) file() string { return filepath.Join(d.Data, "eventio.db") }

// lockFile keeps two processes off the data folder.
func (d database) lockFile() string { return filepath.Join(d.Data, "eventio.lock") }
