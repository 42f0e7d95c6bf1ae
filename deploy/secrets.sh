#!/bin/sh
# Makes the secrets of docker-compose.yml, each part's in a folder of its own: an authority with certificates for NATS and
# MongoDB, and a password for each user of both.
#
#   secrets.sh FOLDER [SERVER...]
#
# Each SERVER gets a certificate for that name, too: a gateway for instance.
#
# Needs openssl. It never replaces a file: remove what you want anew, such as a password with all that is made of it, or a
# certificate before its two years are over. Files can be read by everybody who gets that far, because containers have users
# of their own; so FOLDER must be for you alone, or each folder in it a volume that one service mounts.
set -eu
cd "$1"
shift
mkdir -p "$@" authority nats mongodb api worker notifier migrate operator
chmod 700 authority

# make FILE: the standard input becomes the file, unless that exists.
make() {
	if [ -e "$1" ]; then
		cat >/dev/null
	else
		cat >"$1.new"
		chmod 444 "$1.new"
		mv "$1.new" "$1"
	fi
}

# key FILE: a private key.
key() {
	[ -e "$1" ] || openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null | make "$1"
}

key authority/ca.key
[ -e authority/ca.crt ] || openssl req -x509 -new -key authority/ca.key -days 3650 -subj "/O=Event.io/CN=Event.io CA" \
	-addext keyUsage=critical,keyCertSign,cRLSign | make authority/ca.crt

# certificate NAME ORGANIZATION: NAME/server.crt and NAME/server.key, for a server that is called NAME.
certificate() {
	key "$1/server.key"
	[ ! -e "$1/server.crt" ] || return 0
	printf 'subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n' "$1" >authority/extensions
	openssl req -new -key "$1/server.key" -subj "/O=$2/CN=$1" |
		openssl x509 -req -CA authority/ca.crt -CAkey authority/ca.key -set_serial "0x$(openssl rand -hex 16)" -days 730 -extfile authority/extensions 2>/dev/null |
		make "$1/server.crt"
}
certificate nats Event.io
# Who has a certificate with this organization is a member of the replica set, so nobody else gets one.
certificate mongodb Event.io-mongod
cat mongodb/server.crt mongodb/server.key | make mongodb/server.pem
for server; do
	certificate "$server" Event.io
done
for part in mongodb api worker notifier migrate operator "$@"; do
	make "$part/ca.crt" <authority/ca.crt
done

password() { openssl rand -hex 24; }

for part in api worker notifier operator; do
	password | make "$part/nats-password"
	echo "NATS_$(echo $part | tr a-z A-Z)_PASSWORD: \"$(cat $part/nats-password)\""
done | make nats/passwords.conf

# users.json has the users of MongoDB, with the passwords of init.js. The names are those of the folders.
password | make mongodb/root-password
for part in api worker notifier migrate operator; do
	password | make "$part/mongodb-password"
	echo "mongodb://$part:$(cat "$part/mongodb-password")@mongodb:27017/eventio?replicaSet=rs0&authSource=admin&tls=true&tlsCAFile=/run/secrets/ca.crt" |
		make "$part/mongodb-uri"
done
{
	printf '{\n'
	for part in api worker notifier migrate operator; do
		printf '  "%s": "%s",\n' "$part" "$(cat "$part/mongodb-password")"
	done
	printf '  "root": "%s"\n}\n' "$(cat mongodb/root-password)"
} | make mongodb/users.json
