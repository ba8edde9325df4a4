# What the owner of the API does in each example. To be sourced by bash, in an empty directory:
#
#   . gateway.sh [PUBLIC_KEY ALGORITHM]
#
# A gateway with a route for signed orders and one for users with a token, the partner `acme` with this key as `acme-1`, and the API of api-behind/.
# Both run until the shell ends. GATEWAY, API and ADMIN say where, if the usual ports are taken.
# Those of another example that this shell has run:
if [ -n "${gateway:-}" ]; then kill "$gateway" "$api"; wait "$gateway" "$api" 2> /dev/null || true; fi
GATEWAY=${GATEWAY:-127.0.0.1:8080} API=${API:-127.0.0.1:9000} ADMIN=${ADMIN:-127.0.0.1:9090}
mkdir -p sites
cat > countersign.toml <<TOML
[gateway]
listen = ["$GATEWAY"]

[admin]
listen = "$ADMIN"

[registry]
trusted_sites = "sites"

[token]
issuer = "http://$GATEWAY"

[seal]
keys = ["seal.pem"]

[[route]]
path = "/orders"
upstream = "http://$API"
schemes = ["http-message-signatures"]
open = ["/card/number"]
refusals = "components"

[[route]]
path = "/auth/me"
upstream = "http://$API"
schemes = []
user = "required"
TOML
countersign key generate --algorithm rsa-oaep-256 --out seal.pem
countersign partner add acme
if [ -n "${1:-}" ]; then
  countersign key add --partner acme --id acme-1 --scheme http-message-signatures --algorithm "$2" --public-key "$1"
fi
python3 "$(dirname "${BASH_SOURCE[0]}")/api-behind/api.py" "$API" & api=$!
countersign gateway > gateway.log 2>&1 & gateway=$!
trap 'kill $gateway $api' EXIT
for try in {1..300}; do
  curl -sf "http://$ADMIN/readyz" > /dev/null && (exec 3<> "/dev/tcp/${API/://}") 2> /dev/null && break
  sleep 0.1
done
