# Redis 7, from Debian, for the two scripts that start one. Both keep what they acknowledged, but for the last second.

get() { command -v redis-server >/dev/null || fail "needs Redis (Debian package redis-server)"; }

# redis ADDRESS OPTION...: starts a server at ADDRESS.
redis() {
	local address=$1
	shift
	if outside; then stand_in "$address"; fi
	get
	data
	not_twice
	# Without set-proc-title no, Redis overwrites the environment by which `make down` finds what is left.
	exec redis-server --bind 127.0.0.1 --port "$(port_of "$address")" --dir "$PWD" --daemonize no --set-proc-title no \
		--save '' --appendonly yes --appendfsync everysec "$@"
}

# Loading the append-only file, a server answers LOADING.
redis_ready() { [ "$(timeout 2 redis-cli -h "$(host_of "$1")" -p "$(port_of "$1")" ping 2>/dev/null)" = PONG ]; }
