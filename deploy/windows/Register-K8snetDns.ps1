#Requires -Version 5.1
#Requires -RunAsAdministrator
# Install k8snet's JEA endpoint on this DNS server, or renew it: run it again after every change of the files beside it.
# Registering restarts WinRM, which ends remote sessions that are open on this machine.
$ErrorActionPreference = 'Stop'
$name = 'K8snetDns'
$modules = Join-Path $env:ProgramFiles 'WindowsPowerShell\Modules'
$transcripts = Join-Path $env:ProgramData 'K8snetDns\Transcripts'

if (-not (Get-Module -ListAvailable -Name DnsServer)) {
    throw 'The DnsServer module is missing here. Is this the DNS server? Install-WindowsFeature RSAT-DNS-Server adds it.'
}
if (-not (Test-PSSessionConfigurationFile -Path (Join-Path $PSScriptRoot "$name.pssc") -Verbose)) {
    throw "$name.pssc is not valid; see above."
}
New-Item -ItemType Directory -Path $transcripts -Force | Out-Null
Copy-Item -Path (Join-Path $PSScriptRoot $name) -Destination $modules -Recurse -Force
if (Get-PSSessionConfiguration -Name $name -ErrorAction SilentlyContinue) {
    Unregister-PSSessionConfiguration -Name $name -Force
}
Register-PSSessionConfiguration -Name $name -Path (Join-Path $PSScriptRoot "$name.pssc") -Force | Out-Null
Get-PSSessionConfiguration -Name $name | Select-Object Name, Permission, PSVersion
