# To be sourced: starts a service of this code with the administrator `admin` and `password`, and stops it at the
# end. Sets `base`, its URL, and `scratch`, a folder that is then removed.
scratch=$(mktemp -d)
admin=admin@example.com
password="seven tall ships at sea" # as in tests/contract/people.yaml
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
base=http://127.0.0.1:$port

# Hashing costs little here: passwords are not what is looked at.
env TODO_DATA_DIR="$scratch/data" TODO_HOST=127.0.0.1 TODO_PORT="$port" TODO_RATE_LIMIT=off TODO_LOG_FORMAT=json \
    TODO_ARGON2_MEMORY_KIB=8 TODO_ADMIN_EMAIL="$admin" TODO_ADMIN_PASSWORD="$password" \
    .venv/bin/todo up >"$scratch/log" 2>&1 &
service=$!

stop() {
    grep -F '"level":"error"' "$scratch/log" | tail -5 || true
    kill -TERM "$service" 2>/dev/null || true
    wait "$service" || true
    rm -rf "$scratch"
}
trap stop EXIT

until_ready() { # and its administrator there
    .venv/bin/python - "$base" "$admin" "$password" <<'PYTHON' || { cat "$scratch/log"; exit 1; }
import sys, time, httpx

base, email, password = sys.argv[1:]
for _ in range(120):
    try:
        ready = httpx.get(f"{base}/health/ready").is_success
        if ready and httpx.post(f"{base}/api/auth/login", json={"email": email, "password": password}).is_success:
            break
    except httpx.TransportError:
        pass
    time.sleep(0.5)
else:
    sys.exit("The service did not come up within a minute.")
PYTHON
}
