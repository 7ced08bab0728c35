# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kubectl_netpath_global_optspecs
    string join \n to-namespace= protocol= port= method= path= H/header= snapshot= n/namespace= kubeconfig= context= cluster= user= s/server= token= as= as-group= as-uid= certificate-authority= client-certificate= client-key= insecure-skip-tls-verify tls-server-name= request-timeout= no-probe deep tap timeout= confirm allow-twin image= agent-image= agent-upload agent-binary= debug-namespace= pcap= watch count= interval= o/output= color= v/verbose h/help V/version
end

function __fish_kubectl_netpath_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kubectl_netpath_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kubectl_netpath_using_subcommand
    set -l cmd (__fish_kubectl_netpath_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l to-namespace -d 'Namespace of the destination, if not that of the source' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l protocol -d 'Protocol to ask for; without it, what the destination\'s port declares' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l port -d 'Port of the destination, same as appending :PORT' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l method -d 'Method of the request: which rule of a route takes it may depend on it' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l path -d 'Path of the request, with its query, in place of the URL\'s' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -s H -l header -d 'Header of the request; Host stands for the name that is asked' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l snapshot -d 'Look at a snapshot instead of a cluster: a folder, a file of objects, or - for standard input' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -s n -l namespace -d 'Namespace of the source, and of the destination unless it names its own' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l context -d 'Kubeconfig context to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l cluster -d 'Kubeconfig cluster to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l user -d 'Kubeconfig user to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l as -d 'User to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l certificate-authority -d 'Certificate authority of the API server' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l client-certificate -d 'Client certificate for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l client-key -d 'Client key for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l tls-server-name -d 'Name the API server\'s certificate must carry, if not the address' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l request-timeout -d 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l timeout -d 'How long to wait for one answer; all of the probing ends after twelve times as long' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l image -d 'Small image for the container that the probe is uploaded to' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l agent-image -d 'Image that holds the probe itself (see: kubectl netpath agent image); nothing is uploaded' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l agent-binary -d 'Program to upload as the probe, for nodes of another architecture' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l debug-namespace -d 'Namespace for the pods of --deep and --tap: who may create pods or run commands in pods there is root on nodes' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l pcap -d 'Write the packets that --tap sees to a new file, as pcapng with an interface for every point of the path' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l count -d 'The same, but end after so many rounds; exits with the worst answer' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l interval -d 'Time between two rounds (2s by default)' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -s o -l output -d 'How to print the report' -r -f -a "text\t'For people'
wide\t'For people, with everything that was looked at'
json\t''
yaml\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l no-probe -d 'Create nothing: say what the API says'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l deep -d 'Look into the nodes of the path, too: rules, routes, sysctls, sockets (a pod with root on each, deleted afterwards)'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l tap -d 'Watch one packet pass every interface of the nodes of the path, and say where it disappears (a Pod with hostNetwork and NET_RAW on each, deleted afterwards). --deep does so by itself where a probe fails and nothing explains it'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l confirm -d 'Ask before anything is created'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l allow-twin -d 'Where the source pod does not accept an ephemeral container, probe from a twin without asking: a pod with those of its labels that policies select, deleted afterwards'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l agent-upload -d 'Upload the probe over exec (the default)'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -l watch -d 'Ask again and again, print only what changes, and a summary on Ctrl-C'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -s V -l version -d 'Print version'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "snapshot" -d 'Capture what a diagnosis needs, to analyse elsewhere or compare later'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "demo" -d 'Diagnose a cluster that is built into the program: no cluster needed'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "check" -d 'Check many paths against what is expected of each, for CI'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "sweep" -d 'Everything that is broken, without naming a pair: predictions from what the API says'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "explain" -d 'What a cause means, how it is recognised, how it is fixed'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "policy" -d 'The policy verdict alone, explained; or many at once'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "matrix" -d 'Who may talk to whom: all pairs of workloads'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "rules" -d 'Walk packets through a rule dump, offline'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "cleanup" -d 'Remove everything that was ever left behind'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "rbac" -d 'Print the least rights that each depth needs, with bindings for --user and --serviceaccount'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "schema" -d 'Print the JSON schema of suites, or of reports'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "help" -d 'Print this help, or that of a command'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "version" -d 'Print the version'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_needs_command" -a "completion" -d 'Print the completion script of a shell'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l to-namespace -d 'Namespace of the destination, if not that of the source' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l timeout -d 'How long to wait for one answer; all of the probing ends after twelve times as long' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l image -d 'Small image for the container that the probe is uploaded to' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l agent-image -d 'Image that holds the probe itself (see: kubectl netpath agent image); nothing is uploaded' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l agent-binary -d 'Program to upload as the probe, for nodes of another architecture' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l debug-namespace -d 'Namespace for the pods of --deep and --tap: who may create pods or run commands in pods there is root on nodes' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -s n -l namespace -d 'Namespace of the source, and of the destination unless it names its own' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l context -d 'Kubeconfig context to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l cluster -d 'Kubeconfig cluster to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l user -d 'Kubeconfig user to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l as -d 'User to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l certificate-authority -d 'Certificate authority of the API server' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l client-certificate -d 'Client certificate for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l client-key -d 'Client key for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l tls-server-name -d 'Name the API server\'s certificate must carry, if not the address' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l request-timeout -d 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l deep -d 'Look into the nodes and pods of the path, too: rules, routes, sysctls, sockets (what a diagnosis with --deep creates, and removes afterwards)'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l anonymize -d 'Give addresses pseudonyms, the same everywhere and within their networks, so that a stranger may see the capture'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l confirm -d 'Ask before anything is created'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l allow-twin -d 'Where the source pod does not accept an ephemeral container, probe from a twin without asking: a pod with those of its labels that policies select, deleted afterwards'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l agent-upload -d 'Upload the probe over exec (the default)'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand snapshot" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand demo" -s o -l output -d 'How to print the report' -r -f -a "text\t'For people'
wide\t'For people, with everything that was looked at'
json\t''
yaml\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand demo" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand demo" -l list -d 'List the demonstrations'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand demo" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l only -d 'Only checks with this tag, or of this name' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l shard -d 'Only a share of the checks, as 0/4: the pods of an Indexed Job take one each' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l metrics -d 'Write metrics for Prometheus to this file, too' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l schedule -d 'Make it a CronJob with this schedule' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l job-image -d 'Image that holds kubectl-netpath (see the Dockerfile)' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l job-name -d 'Name of the Job and of what belongs to it' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l snapshot -d 'Look at a snapshot instead of a cluster: a folder, a file of objects, or - for standard input' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -s n -l namespace -d 'Namespace of the source, and of the destination unless it names its own' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l context -d 'Kubeconfig context to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l cluster -d 'Kubeconfig cluster to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l user -d 'Kubeconfig user to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l as -d 'User to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l certificate-authority -d 'Certificate authority of the API server' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l client-certificate -d 'Client certificate for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l client-key -d 'Client key for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l tls-server-name -d 'Name the API server\'s certificate must carry, if not the address' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l request-timeout -d 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l timeout -d 'How long to wait for one answer; all of the probing ends after twelve times as long' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l image -d 'Small image for the container that the probe is uploaded to' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l agent-image -d 'Image that holds the probe itself (see: kubectl netpath agent image); nothing is uploaded' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l agent-binary -d 'Program to upload as the probe, for nodes of another architecture' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l debug-namespace -d 'Namespace for the pods of --deep and --tap: who may create pods or run commands in pods there is root on nodes' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -s o -l output -d 'How to print the results' -r -f -a "text\t'For people'
junit\t'For what shows the results of CI'
sarif\t'For code scanning: where in the suite or in the manifests'
github\t'Annotations of GitHub Actions'
json\t''
yaml\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l write -d 'Propose a suite instead, from what holds now between the workloads and Services of the namespace'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l in-cluster -d 'Print a Job that checks the suite from inside the cluster, with its ServiceAccount and rights'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l apply -d 'Create these objects, or update them, instead of printing them'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l no-probe -d 'Create nothing: say what the API says'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l deep -d 'Look into the nodes of the path, too: rules, routes, sysctls, sockets (a pod with root on each, deleted afterwards)'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l tap -d 'Watch one packet pass every interface of the nodes of the path, and say where it disappears (a Pod with hostNetwork and NET_RAW on each, deleted afterwards). --deep does so by itself where a probe fails and nothing explains it'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l confirm -d 'Ask before anything is created'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l allow-twin -d 'Where the source pod does not accept an ephemeral container, probe from a twin without asking: a pod with those of its labels that policies select, deleted afterwards'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -l agent-upload -d 'Upload the probe over exec (the default)'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l snapshot -d 'Look at a snapshot instead of a cluster: a folder, a file of objects, or - for standard input' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -s n -l namespace -d 'Namespace of the source, and of the destination unless it names its own' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l context -d 'Kubeconfig context to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l cluster -d 'Kubeconfig cluster to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l user -d 'Kubeconfig user to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l as -d 'User to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l certificate-authority -d 'Certificate authority of the API server' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l client-certificate -d 'Client certificate for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l client-key -d 'Client key for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l tls-server-name -d 'Name the API server\'s certificate must carry, if not the address' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l request-timeout -d 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -s o -l output -d 'How to print what was found' -r -f -a "text\t'One line for each cause'
json\t''
yaml\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -s A -l all-namespaces -d 'The Services, Ingresses, Gateways and routes of all namespaces, not of one'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand sweep" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand explain" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand explain" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l to-namespace -d 'Namespace of the destination, if not that of the source' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l protocol -d 'Protocol to ask for; without it, what the destination\'s port declares' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l port -d 'Port of the destination, same as appending :PORT' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l queries -d 'Answer many questions: a file of JSON lines, or - for standard input' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l snapshot -d 'Look at a snapshot instead of a cluster: a folder, a file of objects, or - for standard input' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -s n -l namespace -d 'Namespace of the source, and of the destination unless it names its own' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l context -d 'Kubeconfig context to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l cluster -d 'Kubeconfig cluster to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l user -d 'Kubeconfig user to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l as -d 'User to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l certificate-authority -d 'Certificate authority of the API server' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l client-certificate -d 'Client certificate for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l client-key -d 'Client key for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l tls-server-name -d 'Name the API server\'s certificate must carry, if not the address' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l request-timeout -d 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -s o -l output -d 'How to print the report' -r -f -a "text\t'For people'
wide\t'For people, with everything that was looked at'
json\t''
yaml\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand policy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l port -d 'Only what may pass at one port: a number, as the pods listen to it' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l protocol -d 'The protocol of that port' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l diff -d 'What opens and what closes on the way to this snapshot, and because of which object. Exit code 1 if anything does' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l snapshot -d 'Look at a snapshot instead of a cluster: a folder, a file of objects, or - for standard input' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -s n -l namespace -d 'Namespace of the source, and of the destination unless it names its own' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l context -d 'Kubeconfig context to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l cluster -d 'Kubeconfig cluster to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l user -d 'Kubeconfig user to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l as -d 'User to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l certificate-authority -d 'Certificate authority of the API server' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l client-certificate -d 'Client certificate for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l client-key -d 'Client key for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l tls-server-name -d 'Name the API server\'s certificate must carry, if not the address' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l request-timeout -d 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -s o -l output -d 'How to print the matrix' -r -f -a "text\t'A grid for people; a summary where there are many workloads'
json\t''
csv\t'A line for each pair of workloads'
mermaid\t'A flow chart in Mermaid\'s language'
svg\t'A picture of the grid'"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -s A -l all-namespaces -d 'The workloads of all namespaces, not of one'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand matrix" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l iptables -d 'A dump of iptables-save or ip6tables-save; may be given several times' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l nft -d 'The listing of nft -j list ruleset' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l ipset -d 'The output of ipset save' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l ipvs -d 'The output of ipvsadm-save -n' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l local -d 'The addresses of the host, where --addr is not at hand; loopback is always one' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l addr -d 'The output of ip -j addr' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l route -d 'The output of ip -j route show table all; once for each family' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l route-rules -d 'The output of ip -j rule' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l snapshot -d 'Take all of them from a snapshot folder instead; needs --node' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l node -d 'The node whose rules they are' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l packets -d 'Questions as JSON lines, - for standard input; answers come as JSON lines' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l from -d 'The source of a single packet, with or without a port' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l to -d 'The destination of a single packet' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l protocol -d 'tcp, udp or sctp' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l in -d 'The interface it comes in by; without it, the packet is created on this host' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l length -d 'Its length in bytes, for rules that ask' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l objects -d 'Services, EndpointSlices and Nodes, as kubectl get -o yaml prints them' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -s o -l output -d 'How to print the answer about one packet, or the differences' -r -f -a "text\t'For people'
json\t'JSON lines'"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -l drift -d 'List every difference between the rules and the Services'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rules" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -s n -l namespace -d 'Namespace of the source, and of the destination unless it names its own' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l kubeconfig -d 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l context -d 'Kubeconfig context to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l cluster -d 'Kubeconfig cluster to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l user -d 'Kubeconfig user to use' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -s s -l server -d 'Address of the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l token -d 'Bearer token for the API server' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l as -d 'User to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l as-group -d 'Group to impersonate; may be repeated' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l as-uid -d 'UID to impersonate' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l certificate-authority -d 'Certificate authority of the API server' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l client-certificate -d 'Client certificate for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l client-key -d 'Client key for TLS' -r -F
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l tls-server-name -d 'Name the API server\'s certificate must carry, if not the address' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l request-timeout -d 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l dry-run -d 'Only list what would be removed'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -s y -l yes -d 'Do not ask: remove what is listed'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -l insecure-skip-tls-verify -d 'Do not check the API server\'s certificate'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand cleanup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rbac" -l user -d 'Bind the rights to this user, too' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rbac" -l serviceaccount -d 'Bind the rights to this ServiceAccount, too' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rbac" -s n -l namespace -d 'Grant probing in this namespace alone: a Role there, beside the ClusterRole for reading' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rbac" -l debug-namespace -d 'Grant the pods of --deep in this namespace' -r
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rbac" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rbac" -l no-probe -d 'For answers from the API alone'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rbac" -l deep -d 'For looks into the nodes, too'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rbac" -l tap -d 'For taps on the nodes, too'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rbac" -l allow-twin -d 'Grant twins of pods that do not accept an ephemeral container, too'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rbac" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand rbac" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand schema" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand schema" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand help" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand help" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand version" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand version" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand version" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand completion" -l color -d 'When to colour the report' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` or `TERM=dumb` say otherwise'
always\t''
never\t''"
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand completion" -s v -l verbose -d 'Log requests and rounds on standard error; twice for every question and answer. `NETPATH_LOG` takes a filter'
complete -c kubectl-netpath -n "__fish_kubectl_netpath_using_subcommand completion" -s h -l help -d 'Print help (see more with \'--help\')'
