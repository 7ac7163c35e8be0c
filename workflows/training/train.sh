#!/bin/sh
# Train for some minutes on a machine with a graphics card, then export and measure.
#
#   sh workflows/training/train.sh PACK INIT OUTPUT [MINUTES]
#
# PACK: the folder that shrink_photographs.py wrote.  INIT: a model file, a checkpoint, or the name
# of a shipped model.  OUTPUT gets the checkpoint, model.onnx and the figures of model and INIT on
# the tars in PACK/kept, if there are any.  RECIPE names another training recipe.
set -eu
pack=$1 init=$2 output=$3 minutes=${4:-8}
here=$(dirname "$0")
recipe=${RECIPE:-$here/../train-on-a-card.toml}
set --
for part in "$pack"/part-*; do
    set -- "$@" --data "$part"
done
archive-colorize train "$@" --recipe "$recipe" --init "$init" --output "$output" \
    --minutes "$minutes" --readers "$(($(nproc) - 1))"
archive-colorize export "$output" --output "$output/model.onnx" --weights fp16
set --
for kept in "$pack"/kept/*.tar; do
    if [ -e "$kept" ]; then set -- "$@" --data "$kept"; fi
done
if [ $# -gt 0 ]; then
    archive-colorize evaluate "$output/model.onnx" "$init" "$@" --curve --output "$output/figures"
fi
