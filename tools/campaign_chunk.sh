#!/bin/sh
# One chunk of tools/campaign, on whatever machine it landed:
#
#   campaign_chunk.sh FOLDER FIRST LAST COMMANDS
#
# A process for each seed, so that a run that fails or crashes costs no other its place in the table
# and each digest is known by itself. All they leave goes into FOLDER/FIRST-LAST.tar.gz, which
# appears when the chunk is complete: SEED.json, and where a run failed SEED.status, SEED.err and
# its capture and choices. Prints how many runs failed; status 3 where they could not be run.
folder=$1
last=$3
commands=$4
chunk=$folder/$2-$last
seed=$2
failed=0
ulimit -c 0  # crashes are wanted, cores on every machine are not
rm -rf "$chunk"
mkdir -p "$chunk" || exit 3
while [ "$seed" -le "$last" ]; do
  status=0
  "$folder/usbtwin" sim --seed "$seed" --runs 1 --commands-per-run "$commands" --jobs 1 --json \
    --output-folder "$chunk" >"$chunk/$seed.json" 2>"$chunk/err" </dev/null || status=$?
  case $status in
    0) ;;
    # The arguments, the device, a file; no program or no library of it; stopped with the campaign.
    3 | 4 | 5 | 126 | 127 | 130 | 143)
      echo "seed $seed on $(uname -n): exit status $status" >&2
      tail -n 5 "$chunk/err" >&2
      exit 3
      ;;
    *)
      echo "$status" >"$chunk/$seed.status"
      mv "$chunk/err" "$chunk/$seed.err"
      failed=$((failed + 1))
      ;;
  esac
  seed=$((seed + 1))
done
tar -czf "$chunk.part" -C "$chunk" . && mv "$chunk.part" "$chunk.tar.gz" || exit 3
rm -rf "$chunk"
echo "$failed"
