"""The page that joins a width study and a landscape study: how a network becomes its kernel."""
