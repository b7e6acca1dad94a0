#!/bin/bash
# PostgreSQL 15, from Debian. Accounts and the catalogue live in it; Debezium reads its log.
. "$(dirname "$0")/lib.sh"

bin=/usr/lib/postgresql/15/bin

get() { [ -x $bin/postgres ] || fail "needs PostgreSQL 15 (Debian package postgresql-15)"; }

# A cluster with the role and the database that DATABASE_URL names. As in Cloud SQL the role is no superuser.
create() {
	rm -rf new
	mkdir new
	give new
	"${become[@]}" $bin/initdb -D "$PWD/new" --username=postgres --auth-local=trust --auth-host=scram-sha-256 \
		--encoding=UTF8 --locale=C.UTF-8 --no-instructions >/dev/null
	"${become[@]}" $bin/postgres --single -D "$PWD/new" postgres >/dev/null <<-'SQL'
		create role larder login replication createdb password 'larder'
		create database larder owner larder
	SQL
	mv new cluster
}

start() {
	if outside; then stand_in "${DATABASE_URL%%\?*}"; fi
	get
	data
	not_twice
	account_for postgres "$PWD"
	[ -d cluster ] || create
	# wal_level, slots: for Debezium. A slot that nobody reads may not fill the disk: max_slot_wal_keep_size. make fidelity lets it have less.
	# log_error_verbosity: the detail of a refused row has the row's values in it, mail addresses too.
	exec "${become[@]}" $bin/postgres -D "$PWD/cluster" \
		-c listen_addresses=127.0.0.1 -c "port=$(port_of "$DATABASE_URL")" -c unix_socket_directories= \
		-c wal_level=logical -c max_replication_slots=16 -c max_wal_senders=16 -c "max_slot_wal_keep_size=${SLOT_KEEPS:-1GB}" \
		-c log_error_verbosity=terse -c max_connections=200 -c shared_buffers=64MB -c max_wal_size=512MB -c timezone=UTC -c log_timezone=UTC
}

ready() { $bin/pg_isready -q -t 2 -d "$DATABASE_URL"; }

wants "$@"
