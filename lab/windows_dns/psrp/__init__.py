"""PowerShell remoting (MS-PSRP) to session configurations that know nothing but functions of a module (JEA)."""
