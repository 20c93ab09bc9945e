# All modules of UltraCloud: ultracloud.cluster, ultracloud.node, ultracloud.chainfire.
{
  imports = [ ./cluster.nix ./node.nix ./chainfire.nix ];
}
