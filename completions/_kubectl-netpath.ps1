
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'kubectl-netpath' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'kubectl-netpath'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'kubectl-netpath' {
            [CompletionResult]::new('--to-namespace', '--to-namespace', [CompletionResultType]::ParameterName, 'Namespace of the destination, if not that of the source')
            [CompletionResult]::new('--protocol', '--protocol', [CompletionResultType]::ParameterName, 'Protocol to ask for; without it, what the destination''s port declares')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port of the destination, as :PORT behind its name')
            [CompletionResult]::new('--snapshot', '--snapshot', [CompletionResultType]::ParameterName, 'Look at a snapshot instead of a cluster: a folder, a file of objects, or - for standard input')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Kubeconfig context to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Kubeconfig cluster to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Kubeconfig user to use')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token for the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to impersonate')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to impersonate; may be repeated')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'UID to impersonate')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'Certificate authority of the API server')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'Client certificate for TLS')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'Client key for TLS')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name the API server''s certificate must carry, if not the address')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait for one answer; all of the probing ends after twelve times as long')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Small image for the container that the probe is uploaded to')
            [CompletionResult]::new('--agent-image', '--agent-image', [CompletionResultType]::ParameterName, 'Image that holds the probe itself (see: kubectl netpath agent image); nothing is uploaded')
            [CompletionResult]::new('--agent-binary', '--agent-binary', [CompletionResultType]::ParameterName, 'Program to upload as the probe, for nodes of another architecture')
            [CompletionResult]::new('--debug-namespace', '--debug-namespace', [CompletionResultType]::ParameterName, 'Namespace for the pods of --deep')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the report')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the report')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the report')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate')
            [CompletionResult]::new('--no-probe', '--no-probe', [CompletionResultType]::ParameterName, 'Create nothing: say what the API says')
            [CompletionResult]::new('--deep', '--deep', [CompletionResultType]::ParameterName, 'Look into the nodes of the path, too: rules, routes, sysctls, sockets (a privileged pod on each, deleted afterwards)')
            [CompletionResult]::new('--confirm', '--confirm', [CompletionResultType]::ParameterName, 'Ask before anything is created')
            [CompletionResult]::new('--agent-upload', '--agent-upload', [CompletionResultType]::ParameterName, 'Upload the probe over exec (the default)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('snapshot', 'snapshot', [CompletionResultType]::ParameterValue, 'Capture what a diagnosis needs, to analyse elsewhere or compare later')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Diagnose a cluster that is built into the program: no cluster needed')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check many paths against what is expected of each, for CI')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'What a cause means, how it is recognised, how it is fixed')
            [CompletionResult]::new('policy', 'policy', [CompletionResultType]::ParameterValue, 'The policy verdict alone, explained; or many at once')
            [CompletionResult]::new('matrix', 'matrix', [CompletionResultType]::ParameterValue, 'Who may talk to whom: all pairs of workloads')
            [CompletionResult]::new('rules', 'rules', [CompletionResultType]::ParameterValue, 'Walk packets through a rule dump, offline')
            [CompletionResult]::new('cleanup', 'cleanup', [CompletionResultType]::ParameterValue, 'Remove everything that was ever left behind')
            [CompletionResult]::new('rbac', 'rbac', [CompletionResultType]::ParameterValue, 'Print the least rights that each depth needs, as a ClusterRole')
            [CompletionResult]::new('completion', 'completion', [CompletionResultType]::ParameterValue, 'Print the completion script of a shell')
            break
        }
        'kubectl-netpath;snapshot' {
            [CompletionResult]::new('--to-namespace', '--to-namespace', [CompletionResultType]::ParameterName, 'Namespace of the destination, if not that of the source')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait for one answer; all of the probing ends after twelve times as long')
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Small image for the container that the probe is uploaded to')
            [CompletionResult]::new('--agent-image', '--agent-image', [CompletionResultType]::ParameterName, 'Image that holds the probe itself (see: kubectl netpath agent image); nothing is uploaded')
            [CompletionResult]::new('--agent-binary', '--agent-binary', [CompletionResultType]::ParameterName, 'Program to upload as the probe, for nodes of another architecture')
            [CompletionResult]::new('--debug-namespace', '--debug-namespace', [CompletionResultType]::ParameterName, 'Namespace for the pods of --deep')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Kubeconfig context to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Kubeconfig cluster to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Kubeconfig user to use')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token for the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to impersonate')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to impersonate; may be repeated')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'UID to impersonate')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'Certificate authority of the API server')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'Client certificate for TLS')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'Client key for TLS')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name the API server''s certificate must carry, if not the address')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the report')
            [CompletionResult]::new('--deep', '--deep', [CompletionResultType]::ParameterName, 'Look into the nodes and pods of the path, too: rules, routes, sysctls, sockets (what a diagnosis with --deep creates, and removes afterwards)')
            [CompletionResult]::new('--confirm', '--confirm', [CompletionResultType]::ParameterName, 'Ask before anything is created')
            [CompletionResult]::new('--agent-upload', '--agent-upload', [CompletionResultType]::ParameterName, 'Upload the probe over exec (the default)')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-netpath;demo' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the report')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the report')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the report')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'List the demonstrations')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-netpath;check' {
            [CompletionResult]::new('--snapshot', '--snapshot', [CompletionResultType]::ParameterName, 'Look at a snapshot instead of a cluster: a folder, a file of objects, or - for standard input')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Kubeconfig context to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Kubeconfig cluster to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Kubeconfig user to use')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token for the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to impersonate')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to impersonate; may be repeated')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'UID to impersonate')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'Certificate authority of the API server')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'Client certificate for TLS')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'Client key for TLS')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name the API server''s certificate must carry, if not the address')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the results')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the results')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the report')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-netpath;explain' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the report')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-netpath;policy' {
            [CompletionResult]::new('--to-namespace', '--to-namespace', [CompletionResultType]::ParameterName, 'Namespace of the destination, if not that of the source')
            [CompletionResult]::new('--protocol', '--protocol', [CompletionResultType]::ParameterName, 'Protocol to ask for; without it, what the destination''s port declares')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Port of the destination, as :PORT behind its name')
            [CompletionResult]::new('--queries', '--queries', [CompletionResultType]::ParameterName, 'Answer many questions: a file of JSON lines, or - for standard input')
            [CompletionResult]::new('--snapshot', '--snapshot', [CompletionResultType]::ParameterName, 'Look at a snapshot instead of a cluster: a folder, a file of objects, or - for standard input')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Kubeconfig context to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Kubeconfig cluster to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Kubeconfig user to use')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token for the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to impersonate')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to impersonate; may be repeated')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'UID to impersonate')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'Certificate authority of the API server')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'Client certificate for TLS')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'Client key for TLS')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name the API server''s certificate must carry, if not the address')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the report')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the report')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the report')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-netpath;matrix' {
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'Only what may pass at one port: a number, as the pods listen to it')
            [CompletionResult]::new('--protocol', '--protocol', [CompletionResultType]::ParameterName, 'The protocol of that port')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'What opens and what closes on the way to this snapshot, and because of which object. Exit code 1 if anything does')
            [CompletionResult]::new('--snapshot', '--snapshot', [CompletionResultType]::ParameterName, 'Look at a snapshot instead of a cluster: a folder, a file of objects, or - for standard input')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Kubeconfig context to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Kubeconfig cluster to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Kubeconfig user to use')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token for the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to impersonate')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to impersonate; may be repeated')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'UID to impersonate')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'Certificate authority of the API server')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'Client certificate for TLS')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'Client key for TLS')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name the API server''s certificate must carry, if not the address')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the matrix')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the matrix')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the report')
            [CompletionResult]::new('-A', '-A ', [CompletionResultType]::ParameterName, 'The workloads of all namespaces, not of one')
            [CompletionResult]::new('--all-namespaces', '--all-namespaces', [CompletionResultType]::ParameterName, 'The workloads of all namespaces, not of one')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-netpath;rules' {
            [CompletionResult]::new('--iptables', '--iptables', [CompletionResultType]::ParameterName, 'A dump of iptables-save or ip6tables-save; may be given several times')
            [CompletionResult]::new('--nft', '--nft', [CompletionResultType]::ParameterName, 'The listing of nft -j list ruleset')
            [CompletionResult]::new('--ipset', '--ipset', [CompletionResultType]::ParameterName, 'The output of ipset save')
            [CompletionResult]::new('--ipvs', '--ipvs', [CompletionResultType]::ParameterName, 'The output of ipvsadm-save -n')
            [CompletionResult]::new('--local', '--local', [CompletionResultType]::ParameterName, 'The addresses of the host, where --addr is not at hand; loopback is always one')
            [CompletionResult]::new('--addr', '--addr', [CompletionResultType]::ParameterName, 'The output of ip -j addr')
            [CompletionResult]::new('--route', '--route', [CompletionResultType]::ParameterName, 'The output of ip -j route show table all; once for each family')
            [CompletionResult]::new('--route-rules', '--route-rules', [CompletionResultType]::ParameterName, 'The output of ip -j rule')
            [CompletionResult]::new('--snapshot', '--snapshot', [CompletionResultType]::ParameterName, 'Take all of them from a snapshot folder instead; needs --node')
            [CompletionResult]::new('--node', '--node', [CompletionResultType]::ParameterName, 'The node whose rules they are')
            [CompletionResult]::new('--packets', '--packets', [CompletionResultType]::ParameterName, 'Questions as JSON lines, - for standard input; answers come as JSON lines')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'The source of a single packet, with or without a port')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'The destination of a single packet')
            [CompletionResult]::new('--protocol', '--protocol', [CompletionResultType]::ParameterName, 'tcp, udp or sctp')
            [CompletionResult]::new('--in', '--in', [CompletionResultType]::ParameterName, 'The interface it comes in by; without it, the packet is made on this host')
            [CompletionResult]::new('--length', '--length', [CompletionResultType]::ParameterName, 'Its length in bytes, for rules that ask')
            [CompletionResult]::new('--objects', '--objects', [CompletionResultType]::ParameterName, 'Services, EndpointSlices and Nodes, as kubectl get -o yaml prints them')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print the answer about one packet, or the differences')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print the answer about one packet, or the differences')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the report')
            [CompletionResult]::new('--drift', '--drift', [CompletionResultType]::ParameterName, 'List every difference between the rules and the Services')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-netpath;cleanup' {
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--namespace', '--namespace', [CompletionResultType]::ParameterName, 'Namespace of the source, and of the destination unless it names its own')
            [CompletionResult]::new('--kubeconfig', '--kubeconfig', [CompletionResultType]::ParameterName, 'Kubeconfig file to use instead of $KUBECONFIG and ~/.kube/config')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Kubeconfig context to use')
            [CompletionResult]::new('--cluster', '--cluster', [CompletionResultType]::ParameterName, 'Kubeconfig cluster to use')
            [CompletionResult]::new('--user', '--user', [CompletionResultType]::ParameterName, 'Kubeconfig user to use')
            [CompletionResult]::new('-s', '-s', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Address of the API server')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'Bearer token for the API server')
            [CompletionResult]::new('--as', '--as', [CompletionResultType]::ParameterName, 'User to impersonate')
            [CompletionResult]::new('--as-group', '--as-group', [CompletionResultType]::ParameterName, 'Group to impersonate; may be repeated')
            [CompletionResult]::new('--as-uid', '--as-uid', [CompletionResultType]::ParameterName, 'UID to impersonate')
            [CompletionResult]::new('--certificate-authority', '--certificate-authority', [CompletionResultType]::ParameterName, 'Certificate authority of the API server')
            [CompletionResult]::new('--client-certificate', '--client-certificate', [CompletionResultType]::ParameterName, 'Client certificate for TLS')
            [CompletionResult]::new('--client-key', '--client-key', [CompletionResultType]::ParameterName, 'Client key for TLS')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name the API server''s certificate must carry, if not the address')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Give up on a single API request after this time (1s, 2m, 3h; 0 waits for ever)')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the report')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Only list what would be removed')
            [CompletionResult]::new('--insecure-skip-tls-verify', '--insecure-skip-tls-verify', [CompletionResultType]::ParameterName, 'Do not check the API server''s certificate')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-netpath;rbac' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the report')
            [CompletionResult]::new('--no-probe', '--no-probe', [CompletionResultType]::ParameterName, 'For answers from the API alone')
            [CompletionResult]::new('--deep', '--deep', [CompletionResultType]::ParameterName, 'For looks into the nodes, too')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'kubectl-netpath;completion' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to colour the report')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
