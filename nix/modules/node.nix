# One node of the cluster as a service. Which of the nodes it is, ultracloud.node.name says.
{ config, lib, pkgs, ... }:

let
  inherit (lib) mkEnableOption mkIf mkOption types;
  cfg = config.ultracloud.node;
  nodes = if config.ultracloud.cluster.nodes == null then [ ] else config.ultracloud.cluster.nodes;
  own = lib.findFirst (node: node.name == cfg.name) { } nodes;
  or' = value: otherwise: if value == null then otherwise else value;
  dataDirectory = or' (own.dataDirectory or null) "/var/lib/ultracloud";
  file = "/etc/ultracloud/cluster.json";
in
{
  imports = [ ./cluster.nix ];

  options.ultracloud.node = {
    enable = mkEnableOption "a node of UltraCloud";
    name = mkOption {
      type = types.str;
      description = "Which of ultracloud.cluster.nodes this machine is.";
    };
    package = mkOption {
      type = types.package;
      description = "The package with bin/ultracloud, such as that of this flake.";
    };
    keyFile = mkOption {
      type = types.nullOr types.str;
      default = null;
      description = "A file with the key of the cluster, the same on all nodes: the cluster.key that the first one made. Without it the node makes its own, which is right for the first one only.";
    };
    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the port for other nodes is open to them.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = own != { };
        message = "ultracloud.node.name is ${cfg.name}: ultracloud.cluster.nodes has no node of that name";
      }
      {
        assertion = lib.hasPrefix "/" dataDirectory;
        message = "dataDirectory of ${cfg.name} is ${dataDirectory}: a service needs an absolute one";
      }
    ];

    environment.etc."ultracloud/cluster.json".text = config.ultracloud.clusterFile;
    environment.systemPackages = [ cfg.package ];

    users.users.ultracloud = {
      isSystemUser = true;
      group = "ultracloud";
    };
    users.groups.ultracloud = { };

    networking.firewall.allowedTCPPorts = lib.optional cfg.openFirewall (or' (own.links or null) 7700);

    systemd.tmpfiles.rules = [ "d ${dataDirectory} 0700 ultracloud ultracloud -" ];

    systemd.services.ultracloud = {
      description = "UltraCloud node ${cfg.name}";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      restartTriggers = [ config.ultracloud.clusterFile ];
      serviceConfig = {
        User = "ultracloud";
        Group = "ultracloud";
        # A file that is refused is said here, before anything is stopped for it or started with it.
        ExecStartPre = [ "${cfg.package}/bin/ultracloud cluster validate ${file}" ]
          ++ lib.optional (cfg.keyFile != null)
            "${pkgs.coreutils}/bin/install -m 0600 %d/cluster.key ${dataDirectory}/cluster.key";
        LoadCredential = lib.optional (cfg.keyFile != null) "cluster.key:${cfg.keyFile}";
        ExecStart = "${cfg.package}/bin/ultracloud node --cluster ${file} --name ${cfg.name}";
        WorkingDirectory = dataDirectory;
        Restart = "always";
        RestartSec = 1;
        # Stops in order on this one, for which its supervisors have their deadlines.
        KillSignal = "SIGINT";
        # Above stopMillis of the cluster file, of which the most is 25 s.
        TimeoutStopSec = 30;
        LimitNOFILE = 65536;

        ReadWritePaths = [ dataDirectory ];
        ProtectSystem = "strict";
        ProtectHome = true;
        PrivateTmp = true;
        PrivateDevices = true;
        ProtectKernelTunables = true;
        ProtectKernelModules = true;
        ProtectKernelLogs = true;
        ProtectControlGroups = true;
        ProtectClock = true;
        ProtectHostname = true;
        NoNewPrivileges = true;
        CapabilityBoundingSet = "";
        RestrictAddressFamilies = [ "AF_INET" "AF_INET6" "AF_UNIX" ];
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        LockPersonality = true;
        SystemCallArchitectures = "native";
        UMask = "0077";
        # Not MemoryDenyWriteExecute: V8 makes the code that it runs.
      };
    };
  };
}
