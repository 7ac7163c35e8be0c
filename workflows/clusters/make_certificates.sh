#!/bin/sh
# Makes an authority, and a certificate with its key that the scheduler, the workers and the run of
# a Dask cluster show one another: whoever has them can run code there, and nobody else.
#   sh make_certificates.sh ~/dask-tls        # a new folder; 825 days, or give a number after it
# Every machine needs ca.pem, cert.pem and key.pem, readable for the cluster's user alone.
set -eu
umask 077
folder=${1:?usage: sh make_certificates.sh FOLDER [DAYS]}
days=${2:-825}
curve="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"

# Nothing that is there is followed or overwritten.
mkdir -m 700 "$folder"
cd "$folder"
# shellcheck disable=SC2086 # several words
openssl req -x509 $curve -days "$days" -subj "/CN=archive-colorizer authority" \
    -keyout ca-key.pem -out ca.pem 2>/dev/null
# shellcheck disable=SC2086
openssl req $curve -subj "/CN=archive-colorizer" -keyout key.pem -out request.pem 2>/dev/null
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial \
    -days "$days" -out cert.pem 2>/dev/null
# Without the authority's key nobody can make another certificate that counts.
rm -f ca-key.pem request.pem ca.srl
echo "made $folder: ca.pem, cert.pem and key.pem, for $days days"
