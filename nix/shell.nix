# What working on UltraCloud takes besides npm: `nix-shell nix/shell.nix`.
# The repository pins Node itself, so any Node from 20 on will do here.
{ pkgs ? import <nixpkgs> { } }:

pkgs.mkShell {
  packages = [
    pkgs.nodejs
    # The peer of the supervision tests and of the runtime benchmark.
    pkgs.erlang
  ];
}
