#!/usr/bin/env bash
# The whole of Event.io on one machine, as three machines would run it: three mongod, three nats-server, two
# api, three worker, a notifier, and nginx before it all; with TLS and a login of its own for each part, by
# the files of deploy/. For looking, for trying a failure, for a first load; not for production.
#
#   scripts/cluster.sh          start it, and go on until Ctrl-C
#   scripts/cluster.sh load     in another terminal: 3000 people want 2000 places, at once
#   scripts/cluster.sh verify   prove that its database keeps every promise
#   scripts/cluster.sh env      print the settings with which eventio and curl reach it: eval "$(scripts/cluster.sh env)"
#
# CLUSTER_DIR   what it makes: programs, secrets, data, logs (bin/cluster). Remove it to begin anew.
# CLUSTER_PORT  the port of nginx (3443); the 59 above it are for the others.
#
# Needs Go, openssl, and what scripts/mongod.sh, scripts/mongosh.sh and scripts/gateways.sh say.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
dir=${CLUSTER_DIR:-$root/bin/cluster}
port=${CLUSTER_PORT:-3443}
case $dir in /*) ;; *) dir=$PWD/$dir ;; esac
case $dir in *[!A-Za-z0-9/._-]*) echo "cluster.sh: CLUSTER_DIR must have letters, digits and /._- only" >&2; exit 2 ;; esac
case $port in '' | *[!0-9]*) echo "cluster.sh: CLUSTER_PORT is no port" >&2; exit 2 ;; esac

nats_port=$((port + 10)) route_port=$((port + 13)) mongod_port=$((port + 20))
api_port=$((port + 30)) worker_port=$((port + 40)) notifier_port=$((port + 50)) admin_port=$((port + 53))
secrets=$dir/secrets
members=127.0.0.1:$mongod_port,127.0.0.1:$((mongod_port + 1)),127.0.0.1:$((mongod_port + 2))
servers=tls://127.0.0.1:$nats_port,tls://127.0.0.1:$((nats_port + 1)),tls://127.0.0.1:$((nats_port + 2))
started=$SECONDS

say() { printf '%3ds  %s\n' $((SECONDS - started)) "$*"; }
fail() { echo "cluster.sh: $*" >&2; exit 1; }

# settings PART: the environment of a part, a line each.
settings() {
    cat <<SETTINGS
NATS_URL=$servers
NATS_CA=$secrets/api/ca.crt
NATS_USER=$1
NATS_PASSWORD_FILE=$secrets/$1/nats-password
NATS_INBOX_PREFIX=_INBOX_$1
MONGODB_URI_FILE=$secrets/$1/cluster-uri
SETTINGS
}

# as PART COMMAND...: runs a command as a part.
as() {
    local part=$1 environment
    shift
    mapfile -t environment < <(settings "$part")
    env "${environment[@]}" "$@"
}

case ${1:-start} in
start) ;;
load)
    shift
    SSL_CERT_FILE=$secrets/api/ca.crt as operator "$dir/bin/eventio" simulate --url "https://localhost:$port" --attempts 3000 --capacity 2000 "$@"
    exit
    ;;
verify)
    shift
    as operator "$dir/bin/eventio" verify "$@"
    exit
    ;;
env)
    settings operator | sed 's/^/export /'
    echo "export CURL_CA_BUNDLE=$secrets/api/ca.crt SSL_CERT_FILE=$secrets/api/ca.crt PATH=$dir/bin:\$PATH"
    exit
    ;;
*) fail "unknown command: see the head of this file" ;;
esac

names=() pids=()
input=

# start NAME COMMAND...: in a session of its own, so that Ctrl-C reaches this script only, which ends them in order.
start() {
    local name=$1
    shift
    setsid "$@" <&"$input" >>"$dir/log/$name.log" 2>&1 &
    disown # without it bash tells in its own words of one that is killed
    names+=("$name") pids+=($!)
    echo $! >"$dir/run/$name.pid"
}

alive() { kill -0 "$1" 2>/dev/null; }

# stop ends all, the last first: who asks before who is asked.
stop() {
    trap '' INT TERM
    trap - EXIT
    local i patience
    say "stopping"
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill -TERM "${pids[i]}" 2>/dev/null || continue
        for ((patience = 0; patience < 200; patience++)); do
            alive "${pids[i]}" || break
            sleep 0.1
        done
        if alive "${pids[i]}"; then
            say "${names[i]} does not end: killed"
            kill -KILL "${pids[i]}" 2>/dev/null || :
        fi
        rm -f "$dir/run/${names[i]}.pid"
    done
    rm -f "$dir/run/cluster.pid"
    say "stopped"
}

# until_it WHAT COMMAND...: repeats a command until it succeeds, two minutes at most.
until_it() {
    local what=$1 end=$((SECONDS + 120)) i
    shift
    until "$@" >"$dir/log/last" 2>&1; do
        for i in "${!pids[@]}"; do
            alive "${pids[i]}" || fail "${names[i]} has ended: $(tail -n 3 "$dir/log/${names[i]}.log")"
        done
        [ $SECONDS -lt $end ] || fail "$what does not happen: $(tail -n 3 "$dir/log/last")"
        sleep 0.2
    done
}

umask 077
mkdir -p "$dir"/{bin,log,run,nats,nginx,secrets} "$dir"/data/{1,2,3}
if [ -e "$dir/run/cluster.pid" ] && alive "$(cat "$dir/run/cluster.pid")"; then
    fail "it runs already in $dir, as process $(cat "$dir/run/cluster.pid")"
fi
rm -f "$dir"/run/* "$dir"/log/*
echo $$ >"$dir/run/cluster.pid"
trap stop EXIT
trap 'exit 130' INT TERM
# mongod of a Docker image ends when its input does.
mkfifo "$dir/run/input"
exec {input}<>"$dir/run/input"

say "building the programs"
(cd "$root" && go build -o "$dir/bin/" ./cmd/... github.com/nats-io/nats-server/v2)
say "looking for mongod, mongosh and nginx"
mongod=$("$root/scripts/mongod.sh")
mongosh=$("$root/scripts/mongosh.sh")
nginx=$("$root/scripts/gateways.sh" nginx)

say "making an authority, certificates and passwords"
sh "$root/deploy/secrets.sh" "$secrets" gateway
for part in api worker notifier migrate operator; do
    echo "mongodb://$part:$(cat "$secrets/$part/mongodb-password")@$members/eventio?replicaSet=rs0&authSource=admin&tls=true&tlsCAFile=$secrets/$part/ca.crt" >"$secrets/$part/cluster-uri"
done
chmod -R go= "$secrets"

say "starting three nats-server: TLS, a user for each part, and certificates between them"
for i in 0 1 2; do
    {
        sed -e "s|^port: 4222|server_name: nats-$((i + 1))\nhost: 127.0.0.1\nport: $((nats_port + i))|" -e '/^http:/d' \
            -e "s|\"/run/secrets/server|\"$secrets/nats/server|" -e 's|"../../run/secrets/|"../secrets/nats/|' "$root/deploy/nats/nats.conf"
        cat <<ROUTES
cluster {
  name: eventio
  host: 127.0.0.1
  port: $((route_port + i))
  routes: [nats://127.0.0.1:$route_port, nats://127.0.0.1:$((route_port + 1)), nats://127.0.0.1:$((route_port + 2))]
  ping_interval: "1s"
  ping_max: 2
  write_deadline: "2s"
  tls {
    cert_file: "$secrets/nats/server.crt"
    key_file: "$secrets/nats/server.key"
    ca_file: "$secrets/api/ca.crt"
    verify: true
  }
}
ROUTES
    } >"$dir/nats/$((i + 1)).conf"
    start "nats-$((i + 1))" "$dir/bin/nats-server" --config "$dir/nats/$((i + 1)).conf"
done

say "starting three mongod: TLS, logins, and certificates between them"
for i in 0 1 2; do
    start "mongod-$((i + 1))" "$mongod" --port $((mongod_port + i)) --bind_ip 127.0.0.1 --dbpath "$dir/data/$((i + 1))" --replSet rs0 \
        --wiredTigerCacheSizeGB 0.25 --setParameter transactionLifetimeLimitSeconds=2 --setParameter shutdownTimeoutMillisForSignaledShutdown=500 --auth --clusterAuthMode x509 \
        --tlsMode requireTLS --tlsCertificateKeyFile "$secrets/mongodb/server.pem" --tlsCAFile "$secrets/api/ca.crt" --tlsAllowConnectionsWithoutCertificates
done
say "making the replica set, its roles and users"
initiate() {
    EVENTIO_SECRETS=$secrets/mongodb EVENTIO_ROLES=$root/deploy/mongodb/roles.json EVENTIO_MEMBERS=$members "$mongosh" --quiet --norc \
        "mongodb://127.0.0.1:$mongod_port/?directConnection=true&tls=true&tlsCAFile=$secrets/mongodb/ca.crt" "$root/deploy/mongodb/init.js"
}
until_it "a replica set with users" initiate
until_it "the schema" as migrate "$dir/bin/eventio" migrate

# part PART NAME SETTING...: starts a program as a part.
part() {
    local environment program=$1 name=$2
    shift 2
    mapfile -t environment < <(settings "$program")
    start "$name" env "${environment[@]}" "$@" "$dir/bin/$program"
}

say "starting three worker, two api, a notifier"
for i in 0 1 2; do
    part worker "worker-$((i + 1))" EVENTIO_ADDR=127.0.0.1:$((worker_port + i)) EVENTIO_ADMIN_ADDR=127.0.0.1:$((admin_port + 2 + i))
done
for i in 0 1; do
    part api "api-$((i + 1))" EVENTIO_ADDR=127.0.0.1:$((api_port + i)) EVENTIO_ADMIN_ADDR=127.0.0.1:$((admin_port + i)) EVENTIO_TRUSTED_PROXIES=127.0.0.1/32 EVENTIO_DRAIN_DELAY=6s # as the file of nginx wants
done
part notifier notifier EVENTIO_ADDR=127.0.0.1:$notifier_port EVENTIO_ADMIN_ADDR=127.0.0.1:$((admin_port + 5))
for i in 0 1 2; do until_it "a ready worker" "$dir/bin/worker" --addr 127.0.0.1:$((worker_port + i)) healthcheck; done
for i in 0 1; do until_it "a ready api" "$dir/bin/api" --addr 127.0.0.1:$((api_port + i)) healthcheck; done
until_it "a ready notifier" "$dir/bin/notifier" --addr 127.0.0.1:$notifier_port healthcheck

say "starting nginx: TLS before both api"
sed -e "s|10.0.0.11:3000|127.0.0.1:$api_port|; s|10.0.0.12:3000|127.0.0.1:$((api_port + 1))|" -e "s|listen 443 ssl http2|listen 127.0.0.1:$port ssl http2|" \
    -e 's|server_name tickets.example.org|server_name localhost|' -e "s|/etc/ssl/eventio/cert.pem|$secrets/gateway/server.crt|; s|/etc/ssl/eventio/key.pem|$secrets/gateway/server.key|" \
    "$root/deploy/gateway/nginx/eventio.conf" >"$dir/nginx/eventio.conf"
{
    [ "$(id -u)" != 0 ] || echo 'user root;' # its workers write into a folder that is for nobody else
    cat <<NGINX
daemon off;
pid $dir/nginx/pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path $dir/nginx/body;
    proxy_temp_path $dir/nginx/proxy;
    fastcgi_temp_path $dir/nginx/fastcgi;
    uwsgi_temp_path $dir/nginx/uwsgi;
    scgi_temp_path $dir/nginx/scgi;
    include $dir/nginx/eventio.conf;
}
NGINX
} >"$dir/nginx/nginx.conf"
start nginx "$nginx" -p "$dir/nginx" -c "$dir/nginx/nginx.conf" -e stderr
until_it "an answer of nginx" curl --silent --fail --cacert "$secrets/gateway/ca.crt" "https://localhost:$port/readyz"

say "serving https://localhost:$port (its certificate is of $secrets/gateway/ca.crt)"
say "logs are in $dir/log, process ids in $dir/run; load it with: scripts/cluster.sh load"
say "Ctrl-C ends it"
told=" "
while :; do
    sleep 1 &
    wait $!
    for i in "${!pids[@]}"; do
        if ! alive "${pids[i]}" && [[ $told != *" $i "* ]]; then
            told+="$i "
            say "${names[i]} has ended; its last words are in $dir/log/${names[i]}.log"
        fi
    done
done
