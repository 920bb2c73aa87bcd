#!/usr/bin/env bash
# Stands before Debian's rustc 1.85, which has what our code needs, but not yet without asking.
set -euo pipefail
rustc=$1
shift
name=
previous=
for argument in "$@"; do
  [ "$previous" = --crate-name ] && name=$argument
  previous=$argument
done
case "$name" in
  tokenbook* | build_script_build) set -- "$@" -Zcrate-attr='feature(let_chains,slice_as_chunks,integer_sign_cast,const_vec_string_slice)' -Aunused_features -Astable_features ;;
esac
exec "$rustc" "$@"
