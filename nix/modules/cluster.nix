# ultracloud.cluster: the cluster file as options, and the file that nodes are given.
{ config, lib, ... }:

let
  inherit (lib) mkOption types;

  # What is not set is left out, so that nodes and profiles fill in their own defaults.
  said = value:
    if builtins.isAttrs value then
      let kept = lib.filterAttrs (_: inner: inner != null && inner != { }) (builtins.mapAttrs (_: said) value);
      in kept
    else if builtins.isList value then map said value
    else value;
in
{
  options.ultracloud = {
    cluster = mkOption {
      type = types.submodule { options = import ../options.nix { inherit lib; }; };
      default = { };
      description = "The cluster, the same on all its nodes; see docs/cluster-file.md.";
    };
    clusterFile = mkOption {
      type = types.str;
      readOnly = true;
      description = "The text of the cluster file that is made of ultracloud.cluster.";
    };
  };

  config.ultracloud.clusterFile = builtins.toJSON (said config.ultracloud.cluster);
}
