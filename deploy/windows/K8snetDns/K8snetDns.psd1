@{
    RootModule = 'K8snetDns.psm1'
    ModuleVersion = '1.0.0'
    GUID = '5f0a4b0e-6a3d-4c1c-9a35-7d1f6c9b2e11'
    Author = 'k8snet'
    Description = 'Conditional forwarders of this DNS server for k8snet, through a JEA endpoint.'
    PowerShellVersion = '5.1'
    RequiredModules = @('DnsServer')
    FunctionsToExport = @(
        'Clear-K8snetCache', 'Get-K8snetClock', 'Get-K8snetServer', 'Get-K8snetForwarder', 'Set-K8snetForwarder'
    )
    CmdletsToExport = @()
    VariablesToExport = @()
    AliasesToExport = @()
}
