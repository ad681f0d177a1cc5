# of every new home
